//! Copies bytes both ways until both sides have ended. An idle tunnel holds no buffer.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};

use super::close_injector::CloseInjector;
use super::recording_tap::Tap;
use ouli_message::stream::Side;
use ouli_net::drain::DrainSignal;
use ouli_net::shared_buffer;

/// Reads of one side before the other has its turn.
const MAX_READS_PER_POLL: usize = 16;

/// How long a tunnel may be still.
#[derive(Clone, Copy, Debug)]
pub(super) struct TunnelTimeouts {
    /// Without a byte from either side.
    pub(super) idle: Duration,
    /// From the end of one side to that of the other.
    pub(super) close: Duration,
}

/// A tunnel between two sockets.
pub(super) struct Splice<C, S> {
    /// Before the sockets: who sees the end of the tunnel may count on its recording.
    tap: Tap,
    client: C,
    server: S,
    /// What the client sends.
    to_server: Direction,
    /// What the server sends.
    to_client: Direction,
    timeouts: TunnelTimeouts,
    had_traffic: bool,
    closing: bool,
}

/// One direction.
#[derive(Default)]
struct Direction {
    /// What was read and cannot be written yet.
    buffer: Vec<u8>,
    written: usize,
    /// What was read is held back, since it is not copied yet.
    capture_pending: bool,
    /// The receiver takes no more. What still comes is read and forgotten, so that the sender can
    /// end: cutting it off could take from it what it was sent before.
    receiver_gone: bool,
    close_injector: CloseInjector,
    /// Follows when all that was read is written.
    pending_close: Option<Bytes>,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The sender has ended; the other end is to be told.
    Ending,
    Ended,
}

/// Which side broke the tunnel, and how.
type TunnelError = (Side, io::Error);

impl<C, S> Splice<C, S>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    pub(super) fn new(client: C, server: S, tap: Tap, bounds: TunnelTimeouts) -> Self {
        Self {
            tap,
            client,
            server,
            to_server: Direction::default(),
            to_client: Direction::default(),
            timeouts: bounds,
            had_traffic: false,
            closing: false,
        }
    }

    /// Returns once both sides have ended, one is broken, or the tunnel was still for too long.
    /// Where the gateway stops, both are told so and given time to close.
    pub(super) async fn run(mut self, mut stop: DrainSignal) {
        let mut closing = pin!(stop.closing());
        let mut patience = pin!(tokio::time::sleep(self.timeouts.idle));
        let mut last = Instant::now();
        poll_fn(|cx| {
            if !self.closing && closing.as_mut().poll(cx).is_ready() {
                self.close();
            }
            if let Poll::Ready(result) = self.poll_copy(cx) {
                if let Err((side, error)) = result {
                    self.tap.abort(side, &format!("it broke off: {error}"));
                }
                return Poll::Ready(());
            }
            if std::mem::take(&mut self.had_traffic) {
                last = Instant::now();
            }
            self.poll_idle(cx, patience.as_mut(), last)
        })
        .await;
    }

    /// Says good-bye to both sides, each in the name of the other.
    fn close(&mut self) {
        self.closing = true;
        if !self.to_server.close_injector.is_closed() && !self.to_client.close_injector.is_closed()
        {
            self.tap.abort(Side::Client, "the gateway stopped");
        }
        for (way, side) in [
            (&mut self.to_server, Side::Client),
            (&mut self.to_client, Side::Server),
        ] {
            if let Some(frame) = way.close_injector.begin(side).filter(|_| way.is_open()) {
                way.pending_close = Some(frame);
            }
        }
    }

    /// Looks at the clock only when the timer has run out, so that traffic costs no timer.
    fn poll_idle(
        &mut self,
        cx: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
        last: Instant,
    ) -> Poll<()> {
        let half = self.to_server.state == State::Ended || self.to_client.state == State::Ended;
        let limit = if half {
            self.timeouts.close
        } else {
            self.timeouts.idle
        };
        let due = last + limit;
        if due < timer.deadline() {
            timer.as_mut().reset(due);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= due {
                // A side that does not end after the other has done so is cut off without blame.
                if !half {
                    let silent = format!("nothing came for {limit:?} (limits.stream_idle_timeout)");
                    self.tap.abort(Side::Client, &silent);
                }
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }

    fn poll_copy(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TunnelError>> {
        let (tap, moved) = (&mut self.tap, &mut self.had_traffic);
        let up = self
            .to_server
            .poll_copy(cx, (&mut self.client, &mut self.server), |cx, bytes| {
                *moved = true;
                tap.poll_capture(cx, Side::Client, bytes)
            });
        let up = update_state(up, Side::Client, &mut self.to_server)?;
        let down =
            self.to_client
                .poll_copy(cx, (&mut self.server, &mut self.client), |cx, bytes| {
                    *moved = true;
                    tap.poll_capture(cx, Side::Server, bytes)
                });
        let down = update_state(down, Side::Server, &mut self.to_client)?;
        if up && down {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }
}

/// True where a direction has come to its end.
fn update_state(
    polled: Poll<io::Result<()>>,
    side: Side,
    way: &mut Direction,
) -> Result<bool, TunnelError> {
    match polled {
        Poll::Pending => Ok(false),
        Poll::Ready(Ok(())) => {
            way.state = State::Ended;
            Ok(true)
        }
        Poll::Ready(Err(error)) => Err((side, error)),
    }
}

impl Direction {
    fn is_open(&self) -> bool {
        self.state == State::Open && !self.receiver_gone
    }

    /// Reads and writes as long as both can. Ready at the end of the sender, once the receiver has
    /// been told.
    fn poll_copy<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        (from, to): (&mut R, &mut W),
        // Of no bytes at the end.
        mut hear: impl FnMut(&mut Context<'_>, &[u8]) -> Poll<()>,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        for _ in 0..MAX_READS_PER_POLL {
            if self.capture_pending {
                ready!(hear(cx, &self.buffer));
                self.capture_pending = false;
            }
            if self.written < self.buffer.len() && !self.receiver_gone {
                let polled = Pin::new(&mut *to).poll_write(cx, &self.buffer[self.written..]);
                self.written += self.count_written(ready!(polled));
                continue;
            }
            self.buffer = Vec::new();
            self.written = 0;
            if let Some(last) = self.pending_close.take().filter(|_| !self.receiver_gone) {
                self.buffer.extend_from_slice(&last);
                continue;
            }
            match self.state {
                State::Ended => return Poll::Ready(Ok(())),
                State::Ending => {
                    // A receiver that is gone needs not be told.
                    let _ = ready!(Pin::new(&mut *to).poll_shutdown(cx));
                    return Poll::Ready(Ok(()));
                }
                State::Open => {}
            }
            let step = |cx: &mut Context<'_>, bytes: &[u8]| self.forward(cx, to, bytes, &mut hear);
            if shared_buffer::poll_read(from, cx, step)?.is_pending() {
                // What a cipher holds back goes out before the sender is waited for.
                let flushed = Pin::new(&mut *to).poll_flush(cx);
                self.receiver_gone |= matches!(flushed, Poll::Ready(Err(_)));
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what was read.
    fn forward(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
        bytes: &[u8],
        hear: &mut impl FnMut(&mut Context<'_>, &[u8]) -> Poll<()>,
    ) {
        if bytes.is_empty() {
            self.state = State::Ending;
        }
        if self.receiver_gone {
            return;
        }
        let (passed, last) = self.close_injector.forward(bytes);
        self.pending_close = last;
        if self.close_injector.is_acknowledged() {
            self.state = State::Ending;
        }
        let passed = &bytes[..passed];
        let heard = !passed.is_empty() || bytes.is_empty();
        if heard && hear(cx, passed).is_pending() {
            self.capture_pending = true;
            self.buffer.extend_from_slice(passed);
            return;
        }
        if passed.is_empty() {
            return;
        }
        let written = match Pin::new(to).poll_write(cx, passed) {
            Poll::Ready(written) => self.count_written(written),
            Poll::Pending => 0,
        };
        self.buffer.extend_from_slice(&passed[written..]);
    }

    /// How many bytes the receiver took; one that is gone is told nothing more.
    fn count_written(&mut self, result: io::Result<usize>) -> usize {
        let taken = result.unwrap_or(0);
        self.receiver_gone |= taken == 0;
        taken
    }
}
