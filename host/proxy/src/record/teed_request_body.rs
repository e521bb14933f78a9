//! A request body that is captured while it is sent to the upstream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::body_capture::{NextFrame, SharedCapture};
use super::prefixed_body::PrefixedBody;
use ouli_message::stream::Ending;
use ouli_net::server::IncomingBodyError;

/// A request body that is captured while it is sent to the upstream.
pub(crate) struct TeedRequestBody {
    body: PrefixedBody,
    capture: SharedCapture,
    /// Held back until it is captured.
    held_frame: Option<NextFrame<IncomingBodyError>>,
}

impl TeedRequestBody {
    pub(super) fn new(body: PrefixedBody, capture: SharedCapture) -> Self {
        let mut shared = capture.lock();
        shared.set_content_length(body.size_hint().exact());
        if body.is_end_stream() {
            shared.end();
        }
        drop(shared);
        Self {
            body,
            capture,
            held_frame: None,
        }
    }
}

impl Body for TeedRequestBody {
    type Data = Bytes;
    type Error = IncomingBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncomingBodyError>>> {
        let next = match self.held_frame.take() {
            Some(next) => next,
            None => ready!(Pin::new(&mut self.body).poll_frame(cx)),
        };
        let ended = self.body.is_end_stream();
        let mut capture = self.capture.lock();
        let captured = capture.poll_next(cx, next.as_ref(), ended, Ending::ClientAborted);
        drop(capture);
        if captured.is_pending() {
            self.held_frame = Some(next);
            return Poll::Pending;
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.held_frame.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
