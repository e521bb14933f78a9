//! Copies bytes in both directions until both sides have ended. An idle tunnel holds no buffer.

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

/// Reads of one direction before the other is polled, and the other connections of the thread.
const MAX_READS_PER_POLL: usize = 2;

/// The timeouts of a tunnel.
#[derive(Clone, Copy, Debug)]
pub(super) struct TunnelTimeouts {
    /// Without a byte from either side.
    pub(super) idle: Duration,
    /// From the end of one side to that of the other.
    pub(super) close: Duration,
}

/// A tunnel between two sockets.
pub(super) struct Splice<C, S> {
    /// Declared before the sockets: a client that sees the end of the tunnel can rely on the
    /// exchange being submitted.
    tap: Tap,
    client: C,
    server: S,
    /// Bytes of the client.
    to_server: Direction,
    /// Bytes of the server.
    to_client: Direction,
    timeouts: TunnelTimeouts,
    had_traffic: bool,
    closing: bool,
}

/// One direction.
#[derive(Default)]
struct Direction {
    /// Bytes that are read and not written yet.
    buffer: Vec<u8>,
    written: usize,
    /// The buffer is not captured yet.
    capture_pending: bool,
    /// The receiver has disconnected. Further bytes are read and discarded, so that the sender can
    /// end: a reset could destroy what was sent to it before.
    receiver_gone: bool,
    /// None in a protocol that the gateway does not read.
    close_injector: Option<CloseInjector>,
    /// A close frame that follows the buffer.
    pending_close: Option<Bytes>,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The sender has ended; the receiver is shut down next.
    Ending,
    Ended,
}

/// The side whose connection failed, and its error.
type TunnelError = (Side, io::Error);

impl<C, S> Splice<C, S>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// A WebSocket.
    pub(super) fn websocket(client: C, server: S, tap: Tap, timeouts: TunnelTimeouts) -> Self {
        let direction = || Direction {
            close_injector: Some(CloseInjector::default()),
            ..Direction::default()
        };
        Self {
            tap,
            to_server: direction(),
            to_client: direction(),
            ..Self::opaque(client, server, timeouts)
        }
    }

    /// A protocol that the gateway does not read. It is not recorded.
    pub(super) fn opaque(client: C, server: S, timeouts: TunnelTimeouts) -> Self {
        Self {
            tap: Tap::Off,
            client,
            server,
            to_server: Direction::default(),
            to_client: Direction::default(),
            timeouts,
            had_traffic: false,
            closing: false,
        }
    }

    /// Runs until both sides have ended, one fails, or a timeout passes. When the gateway stops,
    /// both sides of a WebSocket get a close frame and time to close; another protocol ends at
    /// once.
    pub(super) async fn run(mut self, mut shutdown: DrainSignal) {
        let mut closing = pin!(shutdown.closing());
        let mut timer = pin!(tokio::time::sleep(self.timeouts.idle));
        let mut last_traffic = Instant::now();
        poll_fn(|cx| {
            if !self.closing && closing.as_mut().poll(cx).is_ready() {
                self.close();
            }
            if let Poll::Ready(result) = self.poll_copy(cx) {
                if let Err((side, error)) = result {
                    self.tap.abort(side, &format!("it was aborted: {error}"));
                }
                return Poll::Ready(());
            }
            if std::mem::take(&mut self.had_traffic) {
                last_traffic = Instant::now();
            }
            self.poll_idle(cx, timer.as_mut(), last_traffic)
        })
        .await;
    }

    /// Sends a close frame to both sides, each in the name of the other.
    fn close(&mut self) {
        self.closing = true;
        if !self.to_server.is_closed() && !self.to_client.is_closed() {
            self.tap.abort(Side::Client, "the gateway stopped");
        }
        self.to_server.close(Side::Client);
        self.to_client.close(Side::Server);
    }

    /// Checks the idle timeout. The clock is only read when the timer fires, so that traffic does
    /// not reset a timer.
    fn poll_idle(
        &mut self,
        cx: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
        last_traffic: Instant,
    ) -> Poll<()> {
        let half_closed =
            self.to_server.state == State::Ended || self.to_client.state == State::Ended;
        let limit = if half_closed {
            self.timeouts.close
        } else {
            self.timeouts.idle
        };
        let deadline = last_traffic + limit;
        if deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                // A side that does not end after the other is disconnected without an error.
                if !half_closed {
                    let reason = format!("no data for {limit:?} (limits.stream_idle_timeout)");
                    self.tap.abort(Side::Client, &reason);
                }
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    fn poll_copy(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TunnelError>> {
        let (tap, had_traffic) = (&mut self.tap, &mut self.had_traffic);
        let to_server =
            self.to_server
                .poll_copy(cx, (&mut self.client, &mut self.server), |cx, bytes| {
                    *had_traffic = true;
                    tap.poll_capture(cx, Side::Client, bytes)
                });
        let to_server = update_state(to_server, Side::Client, &mut self.to_server)?;
        let to_client =
            self.to_client
                .poll_copy(cx, (&mut self.server, &mut self.client), |cx, bytes| {
                    *had_traffic = true;
                    tap.poll_capture(cx, Side::Server, bytes)
                });
        let to_client = update_state(to_client, Side::Server, &mut self.to_client)?;
        if to_server && to_client {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }
}

/// True if a direction has ended.
fn update_state(
    polled: Poll<io::Result<()>>,
    side: Side,
    direction: &mut Direction,
) -> Result<bool, TunnelError> {
    match polled {
        Poll::Pending => Ok(false),
        Poll::Ready(Ok(())) => {
            direction.state = State::Ended;
            Ok(true)
        }
        Poll::Ready(Err(error)) => Err((side, error)),
    }
}

impl Direction {
    fn is_open(&self) -> bool {
        self.state == State::Open && !self.receiver_gone
    }

    /// True if the sender has sent a close frame.
    fn is_closed(&self) -> bool {
        let injector = self.close_injector.as_ref();
        injector.is_some_and(CloseInjector::is_closed)
    }

    /// Ends the direction: by a close frame in the name of its sender, or without one where the
    /// protocol is not known.
    fn close(&mut self, sender: Side) {
        let is_open = self.is_open();
        match &mut self.close_injector {
            Some(injector) => {
                if let Some(frame) = injector.begin(sender).filter(|_| is_open) {
                    self.pending_close = Some(frame);
                }
            }
            None if self.state == State::Open => self.state = State::Ending,
            None => {}
        }
    }

    /// Copies until a side would block. Ready when the sender has ended and the receiver is shut
    /// down.
    fn poll_copy<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        (from, to): (&mut R, &mut W),
        // With an empty slice at the end.
        mut capture: impl FnMut(&mut Context<'_>, &[u8]) -> Poll<()>,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        for _ in 0..MAX_READS_PER_POLL {
            if self.capture_pending {
                ready!(capture(cx, &self.buffer));
                self.capture_pending = false;
            }
            if self.written < self.buffer.len() && !self.receiver_gone {
                let polled = Pin::new(&mut *to).poll_write(cx, &self.buffer[self.written..]);
                self.written += self.count_written(ready!(polled));
                continue;
            }
            self.buffer = Vec::new();
            self.written = 0;
            if let Some(close) = self.pending_close.take().filter(|_| !self.receiver_gone) {
                self.buffer.extend_from_slice(&close);
                continue;
            }
            match self.state {
                State::Ended => return Poll::Ready(Ok(())),
                State::Ending => {
                    // The receiver may have disconnected.
                    let _ = ready!(Pin::new(&mut *to).poll_shutdown(cx));
                    return Poll::Ready(Ok(()));
                }
                State::Open => {}
            }
            let step =
                |cx: &mut Context<'_>, bytes: &[u8]| self.forward(cx, to, bytes, &mut capture);
            if shared_buffer::poll_read(from, cx, step)?.is_pending() {
                // Bytes that TLS buffers are flushed before the wait.
                let flushed = Pin::new(&mut *to).poll_flush(cx);
                self.receiver_gone |= matches!(flushed, Poll::Ready(Err(_)));
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Captures and writes bytes that were read.
    fn forward(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
        bytes: &[u8],
        capture: &mut impl FnMut(&mut Context<'_>, &[u8]) -> Poll<()>,
    ) {
        if bytes.is_empty() {
            self.state = State::Ending;
        }
        if self.receiver_gone {
            return;
        }
        let mut forwarded = bytes.len();
        if let Some(injector) = &mut self.close_injector {
            (forwarded, self.pending_close) = injector.forward(bytes);
            if injector.is_acknowledged() {
                self.state = State::Ending;
            }
        }
        let forwarded = &bytes[..forwarded];
        let is_captured = !forwarded.is_empty() || bytes.is_empty();
        if is_captured && capture(cx, forwarded).is_pending() {
            self.capture_pending = true;
            self.buffer.extend_from_slice(forwarded);
            return;
        }
        if forwarded.is_empty() {
            return;
        }
        let written = match Pin::new(to).poll_write(cx, forwarded) {
            Poll::Ready(written) => self.count_written(written),
            Poll::Pending => 0,
        };
        self.buffer.extend_from_slice(&forwarded[written..]);
    }

    /// The number of bytes written; none if the receiver has disconnected.
    fn count_written(&mut self, result: io::Result<usize>) -> usize {
        let written = result.unwrap_or(0);
        self.receiver_gone |= written == 0;
        written
    }
}
