//! Bodies that are captured in transit. A frame is held back while the capture waits for memory.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::body_capture::{BodyCapture, CaptureResult, SharedCapture};
use super::recorder_delivery::Delivery;
use crate::handler::RequestBody;
use ouli_message::failure::{FailureCause, FailureKind, Phase};
use ouli_message::stream::Ending;
use ouli_net::server::IncomingBodyError;
use ouli_net::upstream::{self, UpstreamBody};

/// The next frame of a body, its error or its end.
type NextFrame<E> = Option<Result<Frame<Bytes>, E>>;

/// Called once with the captured body, or why there is none. Returns a pending delivery.
type OnFinish = Box<dyn FnOnce(CaptureResult) -> Option<Delivery> + Send>;

/// A request body with a prefix that was read before it is forwarded.
pub(crate) struct PrefixedBody {
    prefix: Bytes,
    rest: RequestBody,
}

impl From<RequestBody> for PrefixedBody {
    fn from(rest: RequestBody) -> Self {
        Self {
            prefix: Bytes::new(),
            rest,
        }
    }
}

impl PrefixedBody {
    /// The bytes that were already read, then the rest.
    pub(crate) fn with_prefix(prefix: Bytes, rest: RequestBody) -> Self {
        Self { prefix, rest }
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
            let prefix = std::mem::take(&mut self.prefix);
            return Poll::Ready(Some(Ok(Frame::data(prefix))));
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

/// A request body that is captured while it is sent to the upstream.
pub(crate) struct TeedRequestBody {
    body: PrefixedBody,
    capture: SharedCapture,
    /// Held back until it is captured.
    held_frame: Option<NextFrame<IncomingBodyError>>,
}

impl TeedRequestBody {
    pub(crate) fn new(body: PrefixedBody, capture: SharedCapture) -> Self {
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
        let captured = poll_capture(
            cx,
            &mut capture,
            next.as_ref(),
            ended,
            Ending::ClientAborted,
        );
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

/// A response body that is captured while it is sent to the client. At its end the exchange is
/// submitted.
pub(crate) struct TeedResponseBody<B: Body = UpstreamBody> {
    body: B,
    capture: BodyCapture,
    on_finish: Option<OnFinish>,
    held_frame: Option<HeldFrame<B::Error>>,
    delivery: Option<Delivery>,
    /// The last poll waited for the upstream.
    awaiting_upstream: bool,
}

/// A frame that is not sent yet.
enum HeldFrame<E> {
    /// It waits for memory of the recorder.
    Uncaptured(NextFrame<E>),
    /// It waits for the exchange to be delivered.
    Captured(NextFrame<E>),
}

impl<B> TeedResponseBody<B>
where
    B: Body<Data = Bytes, Error: std::error::Error + 'static>,
{
    /// `on_finish` is called once, with the captured body or the reason why there is none.
    pub(crate) fn new(
        body: B,
        capture: BodyCapture,
        on_finish: impl FnOnce(CaptureResult) -> Option<Delivery> + Send + 'static,
    ) -> Self {
        let mut tee = Self {
            body,
            capture,
            on_finish: Some(Box::new(on_finish)),
            held_frame: None,
            delivery: None,
            awaiting_upstream: false,
        };
        let content_length = tee.body.size_hint().exact();
        tee.capture.set_content_length(content_length);
        if tee.body.is_end_stream() {
            tee.capture.end();
            tee.submit();
        }
        tee
    }
}

impl TeedResponseBody {
    /// Marks it as a stream, which may pause for this long, or without a limit.
    pub(crate) fn mark_streaming(&mut self, idle_timeout: Option<Duration>) {
        self.body.mark_streaming(idle_timeout);
    }
}

impl<B: Body> TeedResponseBody<B> {
    /// The pending delivery of an exchange whose response has no body: the caller holds back the
    /// head.
    pub(crate) fn take_delivery(&mut self) -> Option<Delivery> {
        self.delivery.take()
    }

    fn submit(&mut self) {
        if let Some(on_finish) = self.on_finish.take() {
            self.delivery = on_finish(self.capture.take());
        }
    }
}

impl<B> Body for TeedResponseBody<B>
where
    B: Body<Data = Bytes, Error: std::error::Error + Unpin + 'static> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let tee = &mut *self;
        let held = match tee.held_frame.take() {
            Some(held) => held,
            None => {
                let polled = Pin::new(&mut tee.body).poll_frame(cx);
                tee.awaiting_upstream = polled.is_pending();
                HeldFrame::Uncaptured(ready!(polled))
            }
        };
        let ended = tee.body.is_end_stream();
        let next = match held {
            HeldFrame::Captured(next) => next,
            HeldFrame::Uncaptured(next) => {
                let (capture, sender) = (&mut tee.capture, Ending::ServerAborted);
                if poll_capture(cx, capture, next.as_ref(), ended, sender).is_pending() {
                    tee.held_frame = Some(HeldFrame::Uncaptured(next));
                    return Poll::Pending;
                }
                next
            }
        };
        // Before the last bytes are sent: a client that sees the end of the response can rely on the
        // exchange being submitted.
        if ended || !matches!(next, Some(Ok(_))) {
            tee.submit();
        }
        if let Some(delivery) = &mut tee.delivery {
            if delivery.poll(cx).is_pending() {
                tee.held_frame = Some(HeldFrame::Captured(next));
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

impl<B: Body> Drop for TeedResponseBody<B> {
    fn drop(&mut self) {
        if !self.capture.is_complete() {
            let reason = "the client disconnected before the end".to_owned();
            let client_gone = FailureCause::new(Phase::Body, FailureKind::ClientGone);
            self.capture
                .set_failure_cause(self.awaiting_upstream.then_some(client_gone));
            self.capture.abort(Ending::ClientAborted, reason);
        }
        self.submit();
    }
}

/// Captures a frame, an end, or an error of the `sender`. Pending while the frame waits for memory.
fn poll_capture<E: std::error::Error + 'static>(
    cx: &mut Context<'_>,
    capture: &mut BodyCapture,
    next: Option<&Result<Frame<Bytes>, E>>,
    ended: bool,
    sender: Ending,
) -> Poll<()> {
    match next {
        Some(Ok(frame)) => {
            ready!(capture.poll_frame(cx, frame));
            if ended {
                capture.end();
            }
        }
        Some(Err(error)) => {
            capture.set_failure_cause(Some(upstream::classify_body_error(error)));
            capture.abort(sender, format!("it was aborted: {error}"));
        }
        None => capture.end(),
    }
    Poll::Ready(())
}
