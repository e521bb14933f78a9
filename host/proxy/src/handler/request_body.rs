//! The body of a request, counted for the access log.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;

use ouli_net::server::{IncomingBody, IncomingBodyError};

/// The body of a request, counted for the access log.
pub(crate) struct RequestBody {
    body: IncomingBody,
    bytes_in: Option<Arc<AtomicU64>>,
    /// A frame that was read and not yet used.
    peeked: Option<Frame<Bytes>>,
}

impl RequestBody {
    pub(super) fn new(body: IncomingBody, bytes_in: Option<Arc<AtomicU64>>) -> Self {
        Self {
            body,
            bytes_in,
            peeked: None,
        }
    }

    /// Awaits the end of a body that is declared to be empty. In HTTP/2 its end may follow the head
    /// of the request; if other bytes follow, the request is malformed and must not be forwarded
    /// (RFC 9113, section 8.1.1).
    pub(super) async fn await_declared_end(&mut self) -> Result<(), IncomingBodyError> {
        if self.size_hint().exact() != Some(0) {
            return Ok(());
        }
        while self.peeked.is_none() && !self.is_end_stream() {
            let Some(frame) = self.frame().await else {
                return Ok(());
            };
            self.peeked = Some(frame?).filter(Frame::is_trailers);
        }
        Ok(())
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = IncomingBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncomingBodyError>>> {
        if let Some(frame) = self.peeked.take() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let (Some(bytes_in), Poll::Ready(Some(Ok(frame)))) = (&self.bytes_in, &polled)
            && let Some(data) = frame.data_ref()
        {
            bytes_in.fetch_add(data.len() as u64, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.peeked.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
