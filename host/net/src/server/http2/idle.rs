//! An idle HTTP/2 connection: a socket and a timer, without h2, until a frame arrives.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;

use crate::server::context::ConnectionContext;
use crate::server::frames::{ACK, PING, encode_frame};
use crate::server::inspected_io::InspectedIo;
use crate::shared_buffer;

/// The payload of a PING. The acknowledgement returns it (RFC 9113, section 6.7).
pub(super) const PING_PAYLOAD: [u8; 8] = *b"at rest?";

/// Waits until h2 is needed: for bytes from the client, for a stop, or for the end of the idle
/// time, which h2 announces with a GOAWAY. Returns the bytes. `None` if the connection is to be
/// closed.
///
/// Sends keep-alive PINGs meanwhile.
pub(super) async fn wait_for_frame<S, T>(
    io: &mut InspectedIo<T>,
    connection: &ConnectionContext<S>,
) -> Option<Bytes>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let bounds = &connection.listener.bounds;
    let update = io.take_window_update(bounds.http2_connection_window);
    let socket = io.socket_mut();
    send(socket, &update, bounds.response_send_timeout).await?;
    let mut drain_signal = connection.listener.drain.signal();
    let mut drain_signal = pin!(drain_signal.draining());
    let (ping, pong) = (
        encode_frame(PING, 0, &PING_PAYLOAD),
        encode_frame(PING, ACK, &PING_PAYLOAD),
    );
    let idle_time = connection.activity.idle_time();
    let idle_end = Instant::now() + bounds.idle_timeout.saturating_sub(idle_time);
    let mut keep_alive = KeepAlive::ping_after(bounds.http2_ping_interval);
    loop {
        let deadline = keep_alive.deadline().min(idle_end);
        let bytes = tokio::select! {
            read = read(socket) => read.ok()?,
            () = &mut drain_signal => return Some(Bytes::new()),
            () = tokio::time::sleep_until(deadline) => {
                if idle_end <= Instant::now() {
                    return Some(Bytes::new());
                }
                if let KeepAlive::AwaitPong(_) = keep_alive {
                    tracing::debug!("connection closed by limits.http2_ping_timeout");
                    return None;
                }
                send(socket, &ping, bounds.response_send_timeout).await?;
                keep_alive = KeepAlive::pong_within(bounds.http2_ping_timeout);
                continue;
            }
        };
        if bytes.is_empty() {
            return None;
        }
        if matches!(keep_alive, KeepAlive::PingAt(_)) || bytes != pong {
            return Some(bytes);
        }
        keep_alive = KeepAlive::ping_after(bounds.http2_ping_interval);
    }
}

/// The state of the keep-alive PINGs.
enum KeepAlive {
    /// The next PING is sent at this time.
    PingAt(Instant),
    /// A PING was sent, and must be acknowledged by this time.
    AwaitPong(Instant),
}

impl KeepAlive {
    fn ping_after(interval: Duration) -> Self {
        Self::PingAt(Instant::now() + interval)
    }

    fn pong_within(timeout: Duration) -> Self {
        Self::AwaitPong(Instant::now() + timeout)
    }

    fn deadline(&self) -> Instant {
        match self {
            Self::PingAt(time) | Self::AwaitPong(time) => *time,
        }
    }
}

async fn read(socket: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
    poll_fn(|cx| shared_buffer::poll_read(socket, cx, |_, bytes| Bytes::copy_from_slice(bytes)))
        .await
}

/// Sends bytes. `None` if the client does not read them in time.
async fn send(
    socket: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    timeout: Duration,
) -> Option<()> {
    let sent = async {
        socket.write_all(bytes).await?;
        socket.flush().await
    };
    tokio::time::timeout(timeout, sent).await.ok()?.ok()
}
