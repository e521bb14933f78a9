//! A connection of HTTP/2 at rest: a socket and a timer, and no h2, until a frame comes.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;

use crate::server::connection::ConnectionContext;
use crate::server::frames::{self, ACK, PING};
use crate::server::inspected_io::InspectedIo;
use crate::shared_buffer;

/// What a PING carries: it comes back (RFC 9113, section 6.7).
const PING_PAYLOAD: [u8; 8] = *b"at rest?";

/// Waits until there is something to do: for what the client sent, for a stop, or for the end of
/// its time, of which a client of HTTP/2 is told. Says which bytes came. None where the connection
/// is to be closed.
///
/// Whether the client is still there is asked from here.
pub(super) async fn wait_for_frame<S, T>(
    watched: &mut InspectedIo<T>,
    at: &ConnectionContext<S>,
) -> Option<Bytes>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let bounds = &at.listener.bounds;
    let owed = watched.take_window_update(bounds.http2_connection_window);
    let socket = watched.socket_mut();
    send(socket, &owed, bounds.response_send_timeout).await?;
    let mut stop = at.listener.drain.signal();
    let mut stop = pin!(stop.draining());
    let mut answer = frames::encode_frame(PING, &PING_PAYLOAD);
    answer[4] = ACK;
    let end = Instant::now() + bounds.idle_timeout.saturating_sub(at.activity.idle_time());
    let mut ask = Some(Instant::now() + bounds.http2_ping_interval);
    let mut close = Instant::now();
    loop {
        let due = ask.unwrap_or(close).min(end);
        let came = tokio::select! {
            came = read(socket) => came.ok()?,
            () = &mut stop => return Some(Bytes::new()),
            () = tokio::time::sleep_until(due) => {
                if end <= Instant::now() {
                    return Some(Bytes::new());
                }
                if ask.take().is_none() {
                    tracing::debug!("connection: closed by limits.http2_ping_timeout");
                    return None;
                }
                let ping = frames::encode_frame(PING, &PING_PAYLOAD);
                send(socket, &ping, bounds.response_send_timeout).await?;
                close = Instant::now() + bounds.http2_ping_timeout;
                continue;
            }
        };
        if came.is_empty() {
            return None;
        }
        if ask.is_some() || came != answer {
            return Some(came);
        }
        ask = Some(Instant::now() + bounds.http2_ping_interval);
    }
}

async fn read(socket: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
    poll_fn(|cx| shared_buffer::poll_read_shared(socket, cx, Bytes::copy_from_slice)).await
}

/// Sends so much; none where the client does not take it.
async fn send(
    socket: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    patience: Duration,
) -> Option<()> {
    let said = async {
        socket.write_all(bytes).await?;
        socket.flush().await
    };
    tokio::time::timeout(patience, said).await.ok()?.ok()
}
