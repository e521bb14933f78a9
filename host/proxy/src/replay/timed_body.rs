//! A recorded stream on its way to a client: its pieces one by one, each when it is due.

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

use ouli_config::Timing;
use ouli_message::failure::{Failure, FailureKind};
use ouli_message::stream::{Chunk, Ending};
use ouli_net::http::stream_reset;

/// What is still to be sent.
pub(crate) struct TimedBody {
    /// Pieces with the time from the start at which they are due.
    chunks: VecDeque<(Duration, Bytes)>,
    trailers: Option<HeaderMap>,
    end: BodyEnd,
    /// How long a stream that the client ended is kept open for a client that does not.
    linger_timeout: Duration,
    /// When that is over, from the start.
    linger_deadline: Option<Duration>,
    skip_delays: bool,
    clock: Option<Clock>,
    /// Ready once the last piece was sent. Where a body breaks off, what waits to be sent is lost.
    last_chunk_sent: Option<oneshot::Receiver<()>>,
    flushed: bool,
}

struct Clock {
    started: Instant,
    timer: Pin<Box<Sleep>>,
}

/// How a recorded body ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BodyEnd {
    /// As it should.
    Complete,
    /// It breaks off.
    Aborted {
        /// When, in microseconds from the start.
        at: u64,
        /// The error code on HTTP/2.
        code: Option<u32>,
        /// The connection is reset.
        reset: bool,
    },
    /// Nothing more comes until the client leaves.
    WaitForClient,
}

impl BodyEnd {
    /// The end of what ended so. On HTTP/1.1 the response is `alone` on its connection, which can
    /// be reset.
    pub(crate) fn of(ending: Ending, failure: Option<&Failure>, alone: bool) -> Self {
        match (failure, ending) {
            (Some(Failure { cause: fault, at }), _) => match fault.kind {
                FailureKind::ClientGone | FailureKind::Timeout => Self::WaitForClient,
                _ => Self::Aborted {
                    at: *at,
                    code: fault.code,
                    reset: alone && fault.kind == FailureKind::Reset,
                },
            },
            (None, Ending::Complete) => Self::Complete,
            (None, Ending::ClientAborted) => Self::WaitForClient,
            (None, Ending::ServerAborted) => Self::Aborted {
                at: 0,
                code: None,
                reset: false,
            },
        }
    }
}

/// Bytes that tell when they were sent: who sends them drops them then.
struct NotifyOnDrop {
    bytes: Bytes,
    _sent: oneshot::Sender<()>,
}

impl AsRef<[u8]> for NotifyOnDrop {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What breaks off a body as it broke off when it was recorded.
#[derive(Debug, Default, thiserror::Error)]
#[error("the recorded response broke off here")]
pub(crate) struct RecordedAbort {
    /// Where it names a code, that is what a client of HTTP/2 gets.
    source: Option<BoxError>,
}

/// The next frame of a body.
pub(crate) type PolledFrame = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

/// What a body breaks with.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl TimedBody {
    /// The pieces of a body. Where it is to be sent as it came, the pauses are kept.
    pub(crate) fn new(
        pieces: impl IntoIterator<Item = (Chunk, Bytes)>,
        trailers: Option<HeaderMap>,
        end: BodyEnd,
        (timing, patience): (Timing, Duration),
    ) -> Self {
        let due = |(piece, bytes): (Chunk, Bytes)| (timing.delay(piece.at), bytes);
        let mut pieces: VecDeque<_> = pieces.into_iter().map(due).collect();
        let mut sent = None;
        if let (BodyEnd::Aborted { .. }, Some((_, last))) = (&end, pieces.back_mut()) {
            let (tell, told) = oneshot::channel();
            sent = Some(told);
            let bytes = std::mem::take(last);
            *last = Bytes::from_owner(NotifyOnDrop { bytes, _sent: tell });
        }
        Self {
            chunks: pieces,
            last_chunk_sent: sent,
            trailers,
            end: match end {
                BodyEnd::Aborted { at, code, reset } => BodyEnd::Aborted {
                    at: u64::try_from(timing.delay(at).as_micros()).unwrap_or(u64::MAX),
                    code,
                    reset,
                },
                BodyEnd::Complete | BodyEnd::WaitForClient => end,
            },
            linger_timeout: patience,
            linger_deadline: None,
            skip_delays: false,
            clock: None,
            flushed: false,
        }
    }

    /// True where nothing follows but the end.
    pub(crate) fn is_at_end(&self) -> bool {
        self.chunks.is_empty()
    }

    /// What is left is sent without a pause, and nobody is waited for.
    pub(crate) fn skip_delays(&mut self) {
        self.skip_delays = true;
    }

    /// True where its connection is to be reset once it has broken off.
    pub(crate) fn resets_connection(&self) -> bool {
        matches!(self.end, BodyEnd::Aborted { reset: true, .. })
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> PolledFrame {
        if let Some((due, _)) = self.chunks.front() {
            if !due.is_zero() && !self.skip_delays {
                let due = *due;
                ready!(self.poll_sleep_until(cx, due));
            }
            let piece = self.chunks.pop_front();
            return Poll::Ready(piece.map(|(_, bytes)| Ok(Frame::data(bytes))));
        }
        match self.end {
            BodyEnd::Complete => {
                Poll::Ready(self.trailers.take().map(|it| Ok(Frame::trailers(it))))
            }
            // What was sent before goes out first: a connection that breaks forgets it.
            BodyEnd::Aborted { .. } if self.last_chunk_sent.is_some() => {
                if self.poll_last_chunk_sent(cx).is_pending() {
                    // Who takes nothing does not keep it for ever.
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
            // It was the client that ended it, so it is for the client to do so again.
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
            Some(sent) => Pin::new(sent).poll(cx).map(drop),
            None => Poll::Ready(()),
        }
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let left = *self.linger_deadline.get_or_insert_with(|| {
            let sent = self.clock.as_ref().map(|clock| clock.started.elapsed());
            sent.unwrap_or_default() + self.linger_timeout
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
