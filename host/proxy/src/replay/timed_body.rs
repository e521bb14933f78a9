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
use ouli_message::failure::{Failure, What};
use ouli_message::stream::{Ending, Piece};

/// What is still to be sent.
pub(crate) struct Paced {
    /// Pieces with the time from the start at which they are due.
    pieces: VecDeque<(Duration, Bytes)>,
    trailers: Option<HeaderMap>,
    end: End,
    /// How long a stream that the client ended is kept open for a client that does not.
    patience: Duration,
    /// When that is over, from the start.
    left: Option<Duration>,
    hurried: bool,
    clock: Option<Clock>,
    /// Ready once the last piece was sent. Where a body breaks off, what waits to be sent is lost.
    sent: Option<oneshot::Receiver<()>>,
    flushed: bool,
}

struct Clock {
    started: Instant,
    timer: Pin<Box<Sleep>>,
}

/// How a recorded body ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// As it should.
    Complete,
    /// It breaks off.
    Broken {
        /// When, in microseconds from the start.
        at: u64,
        /// The error code on HTTP/2.
        code: Option<u32>,
        /// The connection is reset.
        reset: bool,
    },
    /// Nothing more comes until the client leaves.
    Silent,
}

impl End {
    /// The end of what ended so. On HTTP/1.1 the response is `alone` on its connection, which can
    /// be reset.
    pub(crate) fn of(ending: Ending, failure: Option<&Failure>, alone: bool) -> Self {
        match (failure, ending) {
            (Some(Failure { fault, at }), _) => match fault.what {
                What::Left | What::Timeout => Self::Silent,
                _ => Self::Broken {
                    at: *at,
                    code: fault.code,
                    reset: alone && fault.what == What::Reset,
                },
            },
            (None, Ending::Complete) => Self::Complete,
            (None, Ending::Client) => Self::Silent,
            (None, Ending::Server) => Self::Broken {
                at: 0,
                code: None,
                reset: false,
            },
        }
    }
}

/// Bytes that tell when they were sent: who sends them drops them then.
struct Told {
    bytes: Bytes,
    _sent: oneshot::Sender<()>,
}

impl AsRef<[u8]> for Told {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What breaks off a body as it broke off when it was recorded.
#[derive(Debug, Default, thiserror::Error)]
#[error("the recorded response broke off here")]
pub(crate) struct BrokenOff {
    /// Where it names a code, that is what a client of HTTP/2 gets.
    source: Option<h2::Error>,
}

/// The next frame of a body.
pub(crate) type Polled = Poll<Option<Result<Frame<Bytes>, Fault>>>;

/// What a body breaks with.
type Fault = Box<dyn std::error::Error + Send + Sync>;

impl Paced {
    /// The pieces of a body. Where it is to be sent as it came, the pauses are kept.
    pub(crate) fn new(
        pieces: impl IntoIterator<Item = (Piece, Bytes)>,
        trailers: Option<HeaderMap>,
        end: End,
        (timing, patience): (Timing, Duration),
    ) -> Self {
        let due = |(piece, bytes): (Piece, Bytes)| (timing.due(piece.at), bytes);
        let mut pieces: VecDeque<_> = pieces.into_iter().map(due).collect();
        let mut sent = None;
        if let (End::Broken { .. }, Some((_, last))) = (&end, pieces.back_mut()) {
            let (tell, told) = oneshot::channel();
            sent = Some(told);
            let bytes = std::mem::take(last);
            *last = Bytes::from_owner(Told { bytes, _sent: tell });
        }
        Self {
            pieces,
            sent,
            trailers,
            end: match end {
                End::Broken { at, code, reset } => End::Broken {
                    at: u64::try_from(timing.due(at).as_micros()).unwrap_or(u64::MAX),
                    code,
                    reset,
                },
                End::Complete | End::Silent => end,
            },
            patience,
            left: None,
            hurried: false,
            clock: None,
            flushed: false,
        }
    }

    /// True where nothing follows but the end.
    pub(crate) fn is_over(&self) -> bool {
        self.pieces.is_empty()
    }

    /// What is left is sent without a pause, and nobody is waited for.
    pub(crate) fn hurry(&mut self) {
        self.hurried = true;
    }

    /// True where its connection is to be reset once it has broken off.
    pub(crate) fn resets(&self) -> bool {
        matches!(self.end, End::Broken { reset: true, .. })
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Polled {
        if let Some((due, _)) = self.pieces.front() {
            if !due.is_zero() && !self.hurried {
                let due = *due;
                ready!(self.wait(cx, due));
            }
            let piece = self.pieces.pop_front();
            return Poll::Ready(piece.map(|(_, bytes)| Ok(Frame::data(bytes))));
        }
        match self.end {
            End::Complete => Poll::Ready(self.trailers.take().map(|it| Ok(Frame::trailers(it)))),
            // What was sent before goes out first: a connection that breaks forgets it.
            End::Broken { .. } if self.sent.is_some() => {
                if self.poll_sent(cx).is_pending() {
                    // Who takes nothing does not keep it for ever.
                    ready!(self.poll_patience(cx));
                }
                self.sent = None;
                self.poll(cx)
            }
            End::Broken { .. } if !self.flushed => {
                self.flushed = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            End::Broken { at, code, .. } => {
                if at > 0 && !self.hurried {
                    ready!(self.wait(cx, Duration::from_micros(at)));
                }
                let code = code.filter(|code| *code != 0);
                let source = code.map(|code| h2::Error::from(h2::Reason::from(code)));
                Poll::Ready(Some(Err(BrokenOff { source }.into())))
            }
            // It was the client that ended it, so it is for the client to do so again.
            End::Silent if self.hurried => Poll::Ready(Some(Err(BrokenOff::default().into()))),
            End::Silent => {
                ready!(self.poll_patience(cx));
                Poll::Ready(Some(Err(BrokenOff::default().into())))
            }
        }
    }

    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.sent {
            Some(sent) => Pin::new(sent).poll(cx).map(drop),
            None => Poll::Ready(()),
        }
    }

    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let left = *self.left.get_or_insert_with(|| {
            let sent = self.clock.as_ref().map(|clock| clock.started.elapsed());
            sent.unwrap_or_default() + self.patience
        });
        self.wait(cx, left)
    }

    fn wait(&mut self, cx: &mut Context<'_>, due: Duration) -> Poll<()> {
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
