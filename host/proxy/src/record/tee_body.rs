//! Bodies on their way, copied while they pass. What the copy has no room for yet is held back.

use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::body_capture::{BodyCapture, CaptureError, CapturedBody, SharedCapture};
use super::recorder_delivery::Delivery;
use ouli_message::failure::{FailureCause, FailureKind, Phase};
use ouli_message::stream::Ending;
use ouli_net::server::{IncomingBody, IncomingBodyError};
use ouli_net::upstream::{self, BodyError, UpstreamBody};

/// What comes next of a body: a frame, a fault or its end.
type NextFrame<E> = Option<Result<Frame<Bytes>, E>>;

/// Called with what was captured, or why there is nothing; gives what is still to be delivered.
type OnFinish = Box<dyn FnOnce(Result<CapturedBody, CaptureError>) -> Option<Delivery> + Send>;

/// The body of a request, some of which may have been read before it was sent up.
pub(crate) struct PrefixedBody {
    prefix: Bytes,
    rest: IncomingBody,
}

impl From<IncomingBody> for PrefixedBody {
    fn from(rest: IncomingBody) -> Self {
        Self {
            prefix: Bytes::new(),
            rest,
        }
    }
}

impl PrefixedBody {
    /// What was read already, then the rest.
    pub(crate) fn with_prefix(first: Bytes, rest: IncomingBody) -> Self {
        Self {
            prefix: first,
            rest,
        }
    }
}

impl Body for PrefixedBody {
    type Data = Bytes;
    type Error = IncomingBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncomingBodyError>>> {
        if !self.prefix.is_empty() {
            let first = std::mem::take(&mut self.prefix);
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        Pin::new(&mut self.rest).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.prefix.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.prefix.is_empty() {
            self.rest.size_hint()
        } else {
            SizeHint::default()
        }
    }
}

/// The body of a request on its way up, copied.
pub(crate) struct TeedRequestBody {
    body: PrefixedBody,
    capture: SharedCapture,
    /// What is held back.
    held_frame: Option<NextFrame<IncomingBodyError>>,
}

impl TeedRequestBody {
    pub(crate) fn new(body: PrefixedBody, copy: SharedCapture) -> Self {
        let mut locked = copy.lock().unwrap_or_else(PoisonError::into_inner);
        locked.set_content_length(body.size_hint().exact());
        if body.is_end_stream() {
            locked.end();
        }
        drop(locked);
        Self {
            body,
            capture: copy,
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
        let mut copy = self.capture.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = poll_capture(cx, &mut copy, next.as_ref(), ended, Ending::ClientAborted);
        drop(copy);
        if noted.is_pending() {
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

/// The body of a response on its way down, copied; at its end the exchange is handed over.
pub(crate) struct TeedResponseBody {
    body: UpstreamBody,
    capture: BodyCapture,
    on_finish: Option<OnFinish>,
    /// What is held back, and whether it was copied already.
    held_frame: Option<(NextFrame<BodyError>, bool)>,
    delivery: Option<Delivery>,
    /// The upstream is waited for.
    awaiting_upstream: bool,
}

impl TeedResponseBody {
    /// `finish` is called once: with the whole body, or with the reason why it is not whole.
    pub(crate) fn new(
        body: UpstreamBody,
        copy: BodyCapture,
        finish: impl FnOnce(Result<CapturedBody, CaptureError>) -> Option<Delivery> + Send + 'static,
    ) -> Self {
        let mut tee = Self {
            body,
            capture: copy,
            on_finish: Some(Box::new(finish)),
            held_frame: None,
            delivery: None,
            awaiting_upstream: false,
        };
        let declared = tee.body.size_hint().exact();
        tee.capture.set_content_length(declared);
        if tee.body.is_end_stream() {
            tee.capture.end();
            tee.submit();
        }
        tee
    }

    /// It is a stream, which may pause for so long, or as long as it likes.
    pub(crate) fn mark_streaming(&mut self, idle: Option<Duration>) {
        self.body.mark_streaming(idle);
    }

    /// What is still to be delivered of an exchange whose response has no body, so that its head is
    /// what is held back.
    pub(crate) fn take_delivery(&mut self) -> Option<Delivery> {
        self.delivery.take()
    }

    fn submit(&mut self) {
        if let Some(finish) = self.on_finish.take() {
            self.delivery = finish(self.capture.take());
        }
    }
}

impl Body for TeedResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let tee = &mut *self;
        let (next, copied) = match tee.held_frame.take() {
            Some(back) => back,
            None => {
                let polled = Pin::new(&mut tee.body).poll_frame(cx);
                tee.awaiting_upstream = polled.is_pending();
                (ready!(polled), false)
            }
        };
        let ended = tee.body.is_end_stream();
        if !copied {
            let noted = poll_capture(
                cx,
                &mut tee.capture,
                next.as_ref(),
                ended,
                Ending::ServerAborted,
            );
            if noted.is_pending() {
                tee.held_frame = Some((next, false));
                return Poll::Pending;
            }
        }
        // Before the last bytes leave: who sees the end of the response may count on the exchange.
        if ended || !matches!(next, Some(Ok(_))) {
            tee.submit();
        }
        if let Some(delivery) = &mut tee.delivery {
            if delivery.poll(cx).is_pending() {
                tee.held_frame = Some((next, true));
                return Poll::Pending;
            }
            tee.delivery = None;
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

impl Drop for TeedResponseBody {
    fn drop(&mut self) {
        if !self.capture.is_complete() {
            let reason = "the client left before the end".to_owned();
            let left = FailureCause::new(Phase::Body, FailureKind::ClientGone);
            self.capture
                .set_failure_cause(self.awaiting_upstream.then_some(left));
            self.capture.abort(Ending::ClientAborted, reason);
        }
        self.submit();
    }
}

/// Notes what came; where it is a fault, it is that of `sender`. Pending while it is to be held
/// back.
fn poll_capture<E: std::error::Error + 'static>(
    cx: &mut Context<'_>,
    copy: &mut BodyCapture,
    next: Option<&Result<Frame<Bytes>, E>>,
    ended: bool,
    sender: Ending,
) -> Poll<()> {
    match next {
        Some(Ok(frame)) => {
            ready!(copy.poll_frame(cx, frame));
            if ended {
                copy.end();
            }
        }
        Some(Err(error)) => {
            copy.set_failure_cause(Some(upstream::classify_body_error(error)));
            copy.abort(sender, format!("it broke off: {error}"));
        }
        None => copy.end(),
    }
    Poll::Ready(())
}
