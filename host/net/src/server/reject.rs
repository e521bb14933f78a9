//! Tells a connection that it is one too many, or that what it sent is no request, and closes it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::accept_loop::ListenerContext;
use super::connection::HttpService;
use super::connection_limiter::LimitExceeded;
use super::frames::{self, PREFACE};

/// How long all of it may take.
const REJECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes of a client that are read, so that it takes note of the answer before the end of the
/// connection.
const MAX_DISCARDED_BYTES: usize = 64 << 10;

/// Begins to tell, where few are being told; else the connection is closed. On TLS a handshake
/// would cost more than it is worth.
pub(super) fn reject<S: HttpService, T>(
    door: &Arc<ListenerContext<S>>,
    socket: T,
    full: LimitExceeded,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let key = full.key();
    tracing::debug!("a connection is refused by limits.{key}");
    let before = door.active_rejections.fetch_add(1, Ordering::Relaxed);
    let counted = RejectionGuard(Arc::clone(door));
    if door.tls.is_some() || before >= door.bounds.rejected_connections {
        return;
    }
    door.drain.spawn(async move {
        // Who is gone needs not be told.
        let _ = tokio::time::timeout(REJECT_TIMEOUT, send_rejection(socket, key)).await;
        drop(counted);
    });
}

struct RejectionGuard<S>(Arc<ListenerContext<S>>);

impl<S> Drop for RejectionGuard<S> {
    fn drop(&mut self) {
        self.0.active_rejections.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn send_rejection(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    key: &'static str,
) -> std::io::Result<()> {
    let mut first = [0; PREFACE.len()];
    let mut known = 0;
    while known < first.len() && PREFACE.starts_with(&first[..known]) {
        match socket.read(&mut first[known..]).await? {
            0 => break,
            read => known += read,
        }
    }
    let answer = if first[..known] == *PREFACE {
        frames::rejection_frames(key)
    } else {
        let detail = format!("there are too many connections (limits.{key})");
        problem_response(
            "503 Service Unavailable",
            "limit",
            "too many connections",
            &detail,
        )
    };
    respond_and_close(socket, &answer).await
}

/// Says that what came is no request, or could be another one to others.
pub(super) async fn reject_invalid_request(socket: impl AsyncRead + AsyncWrite + Unpin) {
    let reason = "the request is not taken, since servers could read it in more than one way: \
                  a line ends without CR, or its body has no single length";
    tracing::debug!("{reason}");
    let answer = problem_response(
        "400 Bad Request",
        "request",
        "the request cannot be used",
        reason,
    );
    // Who is gone needs not be told.
    let _ = tokio::time::timeout(REJECT_TIMEOUT, respond_and_close(socket, &answer)).await;
}

async fn respond_and_close(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    answer: &[u8],
) -> std::io::Result<()> {
    socket.write_all(answer).await?;
    socket.shutdown().await?;
    // Closing what was not read would take the answer from the client.
    let mut buffer = [0; 512];
    let mut left = MAX_DISCARDED_BYTES;
    while left > 0 {
        match socket.read(&mut buffer).await? {
            0 => break,
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}

/// A response as the gateway's other answers are (RFC 9457).
fn problem_response(status: &str, kind: &str, title: &str, detail: &str) -> Vec<u8> {
    let (code, _) = status.split_once(' ').unwrap_or_default();
    let body = format!(
        "{{\n  \"type\": \"urn:ouli:problem:{kind}\",\n  \"title\": \"{title}\",\n  \
         \"status\": {code},\n  \"detail\": {}\n}}\n",
        serde_json::Value::from(detail)
    );
    let again = if code == "503" {
        "retry-after: 1\r\n"
    } else {
        ""
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\nouli-error: {kind}\r\n\
         {again}connection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    (head + &body).into_bytes()
}
