//! The body of a request, counted for the access log.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use ouli_net::server::{IncomingBody, IncomingBodyError};

/// The body of a request, counted for the access log.
pub(crate) struct RequestBody {
    body: IncomingBody,
    bytes_in: Option<Arc<AtomicU64>>,
}

impl RequestBody {
    pub(super) fn new(body: IncomingBody, bytes_in: Option<Arc<AtomicU64>>) -> Self {
        Self { body, bytes_in }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = IncomingBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncomingBodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let (Some(bytes_in), Poll::Ready(Some(Ok(frame)))) = (&self.bytes_in, &polled)
            && let Some(data) = frame.data_ref()
        {
            bytes_in.fetch_add(data.len() as u64, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
