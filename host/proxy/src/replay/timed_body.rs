//! The body of a replayed stream: each chunk is sent when it is due.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

use super::awaited_events::AwaitedEvent;
use super::body_end::BodyEnd;
use super::early_leave::{EarlyLeave, NOT_AWAITED};
use ouli_config::Timing;
use ouli_message::stream::Chunk;
use ouli_net::http::stream_reset;

/// The rest of a replayed stream.
pub(crate) struct TimedBody {
    /// Chunks with the delay from the start after which they are due.
    chunks: VecDeque<(Duration, Bytes)>,
    /// What each of the chunks waits for. Empty if none waits.
    awaited: VecDeque<Option<AwaitedEvent>>,
    trailers: Option<HeaderMap>,
    end: BodyEnd,
    /// How long a stream that the recorded client ended is kept open.
    linger_timeout: Duration,
    /// When this timeout has passed, from the start.
    linger_deadline: Option<Duration>,
    skip_delays: bool,
    clock: Option<Clock>,
    /// Ready when the last chunk is sent: an abort drops chunks that are not sent yet.
    last_chunk_sent: Option<oneshot::Receiver<()>>,
    flushed: bool,
    /// Counts a client that leaves before the last chunk.
    early_leave: Option<EarlyLeave>,
    /// The end of the content coding is a chunk of its own, and no part of the stream.
    coding_end: usize,
}

struct Clock {
    started: Instant,
    timer: Pin<Box<Sleep>>,
}

/// Bytes that notify when they are sent, which is when the connection drops them.
struct NotifyOnDrop {
    bytes: Bytes,
    _sent: oneshot::Sender<()>,
}

impl AsRef<[u8]> for NotifyOnDrop {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Aborts a body as in the recording.
#[derive(Debug, Default, thiserror::Error)]
#[error("the recorded response was aborted here")]
pub(crate) struct RecordedAbort {
    /// Where it names a code, that is what a client of HTTP/2 gets.
    source: Option<BoxError>,
}

/// The next frame of a body.
pub(crate) type PolledFrame = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

/// The error of a body.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl TimedBody {
    /// A body of these chunks, with the recorded delays if `timing` keeps them.
    pub(crate) fn new(
        chunks: impl IntoIterator<Item = (Chunk, Bytes)>,
        trailers: Option<HeaderMap>,
        end: BodyEnd,
        (timing, linger_timeout): (Timing, Duration),
    ) -> Self {
        let due = |(chunk, bytes): (Chunk, Bytes)| (timing.delay(chunk.at), bytes);
        let mut chunks: VecDeque<_> = chunks.into_iter().map(due).collect();
        let mut last_chunk_sent = None;
        if let (BodyEnd::Aborted { .. }, Some((_, last))) = (&end, chunks.back_mut()) {
            let (sender, receiver) = oneshot::channel();
            last_chunk_sent = Some(receiver);
            let bytes = std::mem::take(last);
            *last = Bytes::from_owner(NotifyOnDrop {
                bytes,
                _sent: sender,
            });
        }
        Self {
            chunks,
            awaited: VecDeque::new(),
            last_chunk_sent,
            trailers,
            end: match end {
                BodyEnd::Aborted { at, code, reset } => BodyEnd::Aborted {
                    at: u64::try_from(timing.delay(at).as_micros()).unwrap_or(u64::MAX),
                    code,
                    reset,
                },
                BodyEnd::Complete | BodyEnd::WaitForClient => end,
            },
            linger_timeout,
            linger_deadline: None,
            skip_delays: false,
            clock: None,
            flushed: false,
            early_leave: None,
            coding_end: 0,
        }
    }

    /// The chunks wait for this.
    #[must_use]
    pub(super) fn awaiting(mut self, awaited: Vec<Option<AwaitedEvent>>) -> Self {
        self.awaited = awaited.into();
        self
    }

    /// Counts a client that leaves before the last chunk.
    pub(crate) fn count_early_leave(&mut self, early_leave: Option<EarlyLeave>) {
        let parts = early_leave.as_ref().map_or(0, EarlyLeave::total);
        self.coding_end = self.chunks.len().saturating_sub(parts);
        self.early_leave = early_leave;
    }

    /// True if only the end is left.
    pub(crate) fn is_at_end(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Sends the rest without delays.
    pub(crate) fn skip_delays(&mut self) {
        self.skip_delays = true;
    }

    /// True if the connection is reset after the abort.
    pub(crate) fn resets_connection(&self) -> bool {
        matches!(self.end, BodyEnd::Aborted { reset: true, .. })
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> PolledFrame {
        if let Some((due, _)) = self.chunks.front() {
            if !due.is_zero() && !self.skip_delays {
                let due = *due;
                ready!(self.poll_sleep_until(cx, due));
            }
            let awaited = self.awaited.front_mut().and_then(Option::as_mut);
            if let Some(awaited) = awaited.filter(|_| !self.skip_delays) {
                let event = ready!(awaited.as_mut().poll(cx));
                self.chunks[0].1 = event;
            }
            self.awaited.pop_front();
            let chunk = self.chunks.pop_front();
            return Poll::Ready(chunk.map(|(_, bytes)| Ok(Frame::data(bytes))));
        }
        match self.end {
            BodyEnd::Complete => {
                Poll::Ready(self.trailers.take().map(|it| Ok(Frame::trailers(it))))
            }
            // Earlier chunks are sent first: an aborted connection drops what it has not sent.
            BodyEnd::Aborted { .. } if self.last_chunk_sent.is_some() => {
                if self.poll_last_chunk_sent(cx).is_pending() {
                    // A client that reads nothing does not keep the stream open.
                    ready!(self.poll_linger(cx));
                }
                self.last_chunk_sent = None;
                self.poll(cx)
            }
            BodyEnd::Aborted { .. } if !self.flushed => {
                self.flushed = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            BodyEnd::Aborted { at, code, .. } => {
                if at > 0 && !self.skip_delays {
                    ready!(self.poll_sleep_until(cx, Duration::from_micros(at)));
                }
                let code = code.filter(|code| *code != 0);
                let source = code.map(stream_reset);
                Poll::Ready(Some(Err(RecordedAbort { source }.into())))
            }
            // The recorded client ended the stream, so this one is expected to do so too.
            BodyEnd::WaitForClient if self.skip_delays => {
                Poll::Ready(Some(Err(RecordedAbort::default().into())))
            }
            BodyEnd::WaitForClient => {
                ready!(self.poll_linger(cx));
                Poll::Ready(Some(Err(RecordedAbort::default().into())))
            }
        }
    }

    fn poll_last_chunk_sent(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.last_chunk_sent {
            Some(last_chunk_sent) => Pin::new(last_chunk_sent).poll(cx).map(drop),
            None => Poll::Ready(()),
        }
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let left = *self.linger_deadline.get_or_insert_with(|| {
            let last_chunk_sent = self.clock.as_ref().map(|clock| clock.started.elapsed());
            last_chunk_sent.unwrap_or_default() + self.linger_timeout
        });
        self.poll_sleep_until(cx, left)
    }

    fn poll_sleep_until(&mut self, cx: &mut Context<'_>, due: Duration) -> Poll<()> {
        let clock = self.clock.get_or_insert_with(|| {
            let started = Instant::now();
            let timer = Box::pin(tokio::time::sleep_until(started + due));
            Clock { started, timer }
        });
        let at = clock.started + due;
        if clock.timer.deadline() != at {
            clock.timer.as_mut().reset(at);
        }
        clock.timer.as_mut().poll(cx)
    }
}

impl Drop for TimedBody {
    fn drop(&mut self) {
        let left = self.chunks.len().saturating_sub(self.coding_end);
        if let Some(early_leave) = self.early_leave.as_ref().filter(|_| left > 0) {
            early_leave.count(left, NOT_AWAITED);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use ouli_message::failure::{Failure, FailureKind};
    use ouli_message::failure::{FailureCause, Phase};
    use ouli_message::stream::Ending;

    const LINGER: Duration = Duration::from_millis(30);

    fn body(chunks: &[(u64, &'static str)], end: BodyEnd, timing: Timing) -> TimedBody {
        let chunks = chunks.iter().map(|(at, text)| {
            let (at, size) = (*at, text.len() as u64);
            (Chunk { at, size }, Bytes::from_static(text.as_bytes()))
        });
        TimedBody::new(chunks, None, end, (timing, LINGER))
    }

    fn aborted(at: u64) -> BodyEnd {
        BodyEnd::Aborted {
            at,
            code: None,
            reset: false,
        }
    }

    /// The next frame: its bytes, none at the end, or the error.
    async fn next(body: &mut TimedBody) -> Result<Option<Bytes>, String> {
        match poll_fn(|cx| body.poll(cx)).await {
            None => Ok(None),
            Some(Ok(frame)) => Ok(frame.into_data().ok()),
            Some(Err(error)) => Err(error.to_string()),
        }
    }

    fn is_pending(body: &mut TimedBody) -> bool {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        body.poll(&mut cx).is_pending()
    }

    #[tokio::test]
    async fn sends_chunks_at_once_without_recorded_timing() {
        let chunks = [(0, "one"), (60_000_000, "two")];
        let mut body = body(&chunks, BodyEnd::Complete, Timing::Instant);
        assert_eq!(next(&mut body).await.unwrap().unwrap(), "one");
        assert_eq!(next(&mut body).await.unwrap().unwrap(), "two");
        assert!(body.is_at_end());
        assert_eq!(next(&mut body).await, Ok(None));
    }

    #[tokio::test]
    async fn sends_each_chunk_when_it_is_due() {
        let chunks = [(0, "one"), (10_000, "two")];
        let mut body = body(&chunks, BodyEnd::Complete, Timing::Scaled(2.0));
        let started = Instant::now();
        assert_eq!(next(&mut body).await.unwrap().unwrap(), "one");
        assert!(is_pending(&mut body));
        assert_eq!(next(&mut body).await.unwrap().unwrap(), "two");
        assert!(started.elapsed() >= Duration::from_millis(20));
    }

    #[tokio::test]
    async fn a_shutdown_skips_delays() {
        let chunks = [(0, "one"), (3_600_000_000, "two")];
        let mut body = body(&chunks, BodyEnd::WaitForClient, Timing::Scaled(1.0));
        next(&mut body).await.unwrap();
        assert!(is_pending(&mut body));
        body.skip_delays();
        assert_eq!(next(&mut body).await.unwrap().unwrap(), "two");
        assert!(next(&mut body).await.is_err(), "no client is waited for");
    }

    #[tokio::test]
    async fn an_abort_follows_the_last_sent_chunk() {
        let mut body = body(&[(0, "one"), (0, "two")], aborted(0), Timing::Instant);
        next(&mut body).await.unwrap();
        let last = next(&mut body).await.unwrap().unwrap();
        assert!(is_pending(&mut body), "the connection holds the last chunk");
        drop(last);
        let error = next(&mut body).await.unwrap_err();
        assert_eq!(error, "the recorded response was aborted here");
    }

    #[tokio::test]
    async fn an_abort_does_not_wait_forever_for_a_client_that_reads_nothing() {
        let mut body = body(&[(0, "one")], aborted(0), Timing::Instant);
        let _unsent = next(&mut body).await.unwrap();
        let started = Instant::now();
        assert!(next(&mut body).await.is_err());
        assert!(started.elapsed() >= LINGER);
    }

    #[tokio::test]
    async fn a_stream_that_the_client_ended_stays_open_for_a_while() {
        let mut body = body(&[(0, "one")], BodyEnd::WaitForClient, Timing::Instant);
        next(&mut body).await.unwrap();
        let started = Instant::now();
        assert!(next(&mut body).await.is_err());
        assert!(started.elapsed() >= LINGER);
    }

    #[test]
    fn the_end_is_that_of_the_recording() {
        let failure = |kind| Failure {
            cause: FailureCause::new(Phase::Body, kind),
            at: 7,
        };
        let end = |ending, failure: Option<Failure>, is_alone| match BodyEnd::of(
            ending,
            failure.as_ref(),
            is_alone,
        ) {
            BodyEnd::Complete => "complete".to_owned(),
            BodyEnd::WaitForClient => "wait".to_owned(),
            BodyEnd::Aborted { at, reset, .. } => format!("aborted {at} {reset}"),
        };
        let reset = Some(failure(FailureKind::Reset));
        let timeout = Some(failure(FailureKind::Timeout));
        for (ending, failure, is_alone, expected) in [
            (Ending::Complete, None, true, "complete"),
            (Ending::ClientAborted, None, true, "wait"),
            (Ending::ServerAborted, None, true, "aborted 0 false"),
            (Ending::Complete, reset, true, "aborted 7 true"),
            (Ending::Complete, reset, false, "aborted 7 false"),
            (Ending::Complete, timeout, true, "wait"),
        ] {
            assert_eq!(end(ending, failure, is_alone), expected);
        }
    }
}
