//! A request body that was read whole before it is sent, with its trailers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

/// The bytes, then the trailers. With trailers the length is not told: HTTP/1.1 has a trailer
/// section only in a chunked body (RFC 9112, section 7.1.2).
pub(super) struct WholeBody {
    bytes: Bytes,
    trailers: Option<HeaderMap>,
}

impl WholeBody {
    pub(super) fn new(bytes: Bytes, trailers: HeaderMap) -> Self {
        let trailers = (!trailers.is_empty()).then_some(trailers);
        Self { bytes, trailers }
    }
}

impl Body for WholeBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.bytes.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.bytes)))));
        }
        let trailers = self.trailers.take();
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.trailers {
            None => SizeHint::with_exact(self.bytes.len() as u64),
            Some(_) => SizeHint::default(),
        }
    }
}
