//! A response body that is captured while it is sent to the client.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::background_read::{BackgroundRead, BackgroundReads, Interruption};
use super::body_capture::{BodyCapture, CaptureResult, NextFrame};
use super::recorder_delivery::Delivery;
use ouli_message::failure::{FailureCause, FailureKind, Phase};
use ouli_message::stream::Ending;
use ouli_net::upstream::UpstreamBody;

/// Called once with the captured body, or why there is none. Returns a pending delivery.
type OnFinish = Box<dyn FnOnce(CaptureResult) -> Option<Delivery> + Send>;

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
    /// Reads the rest if the client leaves.
    background_reads: Option<BackgroundReads>,
    /// Why the rest was not read, after the client has left.
    interruption: Option<Interruption>,
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
            background_reads: None,
            interruption: None,
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

    /// If the client leaves, the rest is read all the same.
    pub(super) fn read_on_in_background(&mut self, reads: BackgroundReads) {
        self.background_reads = Some(reads);
    }

    /// The client has left or has the whole response. It has got the head, so the exchange is to be
    /// recorded whole.
    pub(crate) fn release(mut self: Box<Self>) {
        let Some(reads) = self.take_background_reads() else {
            return;
        };
        match reads.try_begin() {
            Ok(read) => read.spawn(|read| self.read_to_end(read)),
            Err(interruption) => self.interruption = Some(interruption),
        }
    }

    /// The client has left before the head. A stream ends with its client.
    pub(crate) async fn read_in_background(mut self: Box<Self>, read: BackgroundRead) {
        if self.take_background_reads().is_some() {
            self.read_to_end(read).await;
        }
    }

    /// None if there is nothing to read.
    fn take_background_reads(&mut self) -> Option<BackgroundReads> {
        let reads = self.background_reads.take();
        let is_unfinished = self.on_finish.is_some() && self.capture.is_recordable();
        reads.filter(|_| is_unfinished)
    }

    async fn read_to_end(mut self: Box<Self>, read: BackgroundRead) {
        self.interruption = read.read(self.read_rest()).await.err();
    }

    /// Reads to the end. Trailers may follow the last byte.
    async fn read_rest(&mut self) {
        while self.capture.is_recordable() {
            if !matches!(self.frame().await, Some(Ok(_))) {
                return;
            }
        }
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
                if capture
                    .poll_next(cx, next.as_ref(), ended, sender)
                    .is_pending()
                {
                    tee.held_frame = Some(HeldFrame::Uncaptured(next));
                    return Poll::Pending;
                }
                next
            }
        };
        // Before the last bytes are sent: a client that sees the end of the response can rely on
        // the exchange being submitted.
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
            let mut reason = "the client disconnected before the end".to_owned();
            if let Some(interruption) = self.interruption {
                reason = format!("{reason}, and {interruption}");
            }
            let client_gone = FailureCause::new(Phase::Body, FailureKind::ClientGone);
            self.capture
                .set_failure_cause(self.awaiting_upstream.then_some(client_gone));
            self.capture.abort(Ending::ClientAborted, reason);
        }
        self.submit();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::task::Waker;

    use parking_lot::Mutex;

    use super::*;
    use crate::record::body_capture::{CaptureError, CaptureLimits, CapturedBody};
    use crate::scripted_body::{Reset, ScriptedBody, ScriptedEnding};
    use crate::session::MemoryBudget;
    use ouli_config::OnRecorderFull;

    type Tee = TeedResponseBody<ScriptedBody>;

    /// What `on_finish` was called with.
    type Finished = Arc<Mutex<Option<CaptureResult>>>;

    fn tee(body: ScriptedBody, limits: CaptureLimits, budget: &MemoryBudget) -> (Tee, Finished) {
        let finished = Finished::default();
        let result = Arc::clone(&finished);
        let capture = BodyCapture::new(limits, budget);
        let tee = TeedResponseBody::new(body, capture, move |captured| {
            assert!(result.lock().replace(captured).is_none(), "called once");
            None
        });
        (tee, finished)
    }

    fn limits(on_recorder_full: OnRecorderFull) -> CaptureLimits {
        CaptureLimits {
            max_bytes: 100,
            on_recorder_full,
            max_wait: Duration::from_millis(20),
        }
    }

    /// A budget whose recording memory is taken, and what takes it.
    fn full_budget() -> (MemoryBudget, crate::session::MemoryReservation) {
        let budget = MemoryBudget::new(1000, 500);
        let mut other = budget.recording_reservation();
        assert!(other.try_grow(500));
        (budget, other)
    }

    fn poll(tee: &mut Tee) -> Poll<Option<Result<Bytes, Reset>>> {
        let mut cx = Context::from_waker(Waker::noop());
        let polled = Pin::new(tee).poll_frame(&mut cx);
        polled.map(|frame| frame.map(|frame| frame.map(|it| it.into_data().unwrap())))
    }

    async fn next(tee: &mut Tee) -> Option<Result<Bytes, Reset>> {
        let frame = poll_fn(|cx| Pin::new(&mut *tee).poll_frame(cx)).await;
        frame.map(|frame| frame.map(|it| it.into_data().unwrap()))
    }

    fn captured(finished: &Finished) -> Result<CapturedBody, CaptureError> {
        finished.lock().take().expect("the capture is finished")
    }

    #[test]
    fn submits_the_capture_before_the_client_sees_the_end() {
        let budget = MemoryBudget::new(1000, 500);
        let body = ScriptedBody::new(&["one", "two"], ScriptedEnding::Complete).with_length();
        let (mut tee, finished) = tee(body, limits(OnRecorderFull::Wait), &budget);
        assert_eq!(poll(&mut tee), Poll::Ready(Some(Ok("one".into()))));
        assert!(finished.lock().is_none());
        assert_eq!(poll(&mut tee), Poll::Ready(Some(Ok("two".into()))));
        let captured = captured(&finished).unwrap();
        assert_eq!((&*captured.bytes, captured.aborted), (&b"onetwo"[..], None));
        assert!(tee.is_end_stream());
    }

    #[test]
    fn an_empty_body_is_submitted_at_once() {
        let budget = MemoryBudget::new(1000, 500);
        let body = ScriptedBody::new(&[], ScriptedEnding::Complete).with_length();
        let (_tee, finished) = tee(body, limits(OnRecorderFull::Wait), &budget);
        assert!(captured(&finished).unwrap().bytes.is_empty());
    }

    #[tokio::test]
    async fn holds_a_frame_back_until_the_recorder_has_memory() {
        let (budget, other) = full_budget();
        let body = ScriptedBody::new(&["one"], ScriptedEnding::Complete).with_length();
        let (mut tee, finished) = tee(body, limits(OnRecorderFull::Wait), &budget);
        assert!(poll(&mut tee).is_pending());
        assert!(!tee.is_end_stream(), "a frame is held back");
        assert!(finished.lock().is_none());
        drop(other);
        assert_eq!(next(&mut tee).await, Some(Ok("one".into())));
        assert_eq!(&*captured(&finished).unwrap().bytes, b"one");
    }

    #[tokio::test]
    async fn sends_the_frame_uncaptured_after_the_wait() {
        let (budget, _other) = full_budget();
        let body = ScriptedBody::new(&["one"], ScriptedEnding::Complete).with_length();
        let (mut tee, finished) = tee(body, limits(OnRecorderFull::Wait), &budget);
        assert_eq!(next(&mut tee).await, Some(Ok("one".into())));
        let error = captured(&finished).unwrap_err();
        assert_eq!(error, CaptureError::recorder_memory_full());
    }

    #[tokio::test]
    async fn never_holds_back_if_a_full_recorder_drops() {
        let (budget, _other) = full_budget();
        let body = ScriptedBody::new(&["one"], ScriptedEnding::Complete).with_length();
        let (mut tee, finished) = tee(body, limits(OnRecorderFull::Drop), &budget);
        assert_eq!(poll(&mut tee), Poll::Ready(Some(Ok("one".into()))));
        let error = captured(&finished).unwrap_err();
        assert_eq!(error, CaptureError::recorder_memory_full());
    }

    #[test]
    fn a_body_over_the_limit_is_sent_and_not_captured() {
        let budget = MemoryBudget::new(1000, 500);
        let body = ScriptedBody::new(&["12345", "67890"], ScriptedEnding::Complete);
        let limits = CaptureLimits {
            max_bytes: 9,
            ..limits(OnRecorderFull::Wait)
        };
        let (mut tee, finished) = tee(body, limits, &budget);
        for chunk in ["12345", "67890"] {
            assert_eq!(poll(&mut tee), Poll::Ready(Some(Ok(chunk.into()))));
        }
        assert_eq!(poll(&mut tee), Poll::Ready(None));
        let error = captured(&finished).unwrap_err();
        assert!(matches!(error, CaptureError::Partial(_)), "{error:?}");
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn an_error_of_the_upstream_aborts_the_capture() {
        let budget = MemoryBudget::new(1000, 500);
        let body = ScriptedBody::new(&["one"], ScriptedEnding::Aborted);
        let (mut tee, finished) = tee(body, limits(OnRecorderFull::Wait), &budget);
        assert!(poll(&mut tee).is_ready());
        assert_eq!(poll(&mut tee), Poll::Ready(Some(Err(Reset))));
        let captured = captured(&finished).unwrap();
        assert_eq!(&*captured.bytes, b"one");
        assert!(matches!(captured.aborted, Some((Ending::ServerAborted, _))));
        assert!(captured.failure_cause.is_some());
    }

    #[test]
    fn a_client_that_leaves_aborts_the_capture() {
        let budget = MemoryBudget::new(1000, 500);
        let body = ScriptedBody::new(&["one"], ScriptedEnding::Silent);
        let (mut tee, finished) = tee(body, limits(OnRecorderFull::Wait), &budget);
        assert!(poll(&mut tee).is_ready());
        assert!(poll(&mut tee).is_pending());
        drop(tee);
        let captured = captured(&finished).unwrap();
        assert!(matches!(captured.aborted, Some((Ending::ClientAborted, _))));
        let cause = captured.failure_cause.unwrap();
        assert_eq!(cause.kind, FailureKind::ClientGone);
    }
}
