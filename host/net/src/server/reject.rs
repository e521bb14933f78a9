//! Rejects a connection over the limit, or one whose bytes are not a valid request, and closes it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tracing::{Instrument as _, Span};

use super::connection_limiter::LimitExceeded;
use super::context::ListenerContext;
use super::frames::{self, PREFACE};
use super::head_error::HeadError;
use super::service::HttpService;

/// Time for a whole rejection.
const REJECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes that are read from a rejected client, so that it reads the response before its connection
/// is reset.
const MAX_DISCARDED_BYTES: usize = 64 << 10;

/// Rejects a connection over the limit: sends a response if few rejections are active, otherwise
/// closes the connection. A TLS connection is closed, as a handshake costs more than it is worth.
pub(super) fn reject<S: HttpService, T>(
    listener: &Arc<ListenerContext<S>>,
    socket: T,
    exceeded: LimitExceeded,
    span: &Span,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let key = exceeded.key();
    span.in_scope(|| tracing::debug!("connection rejected by limits.{key}"));
    let reason = format!("there are too many connections (limits.{key})");
    listener.service.connection_rejected(&reason);
    let active = listener.active_rejections.fetch_add(1, Ordering::Relaxed);
    let guard = RejectionGuard(Arc::clone(listener));
    if listener.tls.is_some() || active >= listener.bounds.rejected_connections {
        return;
    }
    let rejection = async move {
        // A failure is not reported: the client has closed the connection or reads nothing.
        let _ = tokio::time::timeout(REJECT_TIMEOUT, send_rejection(socket, key)).await;
        drop(guard);
    };
    listener.drain.spawn(rejection.instrument(span.clone()));
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
    let mut length = 0;
    while length < first.len() && PREFACE.starts_with(&first[..length]) {
        match socket.read(&mut first[length..]).await? {
            0 => break,
            read => length += read,
        }
    }
    let response = if first[..length] == *PREFACE {
        frames::rejection_frames(key)
    } else {
        let detail = format!("there are too many connections (limits.{key})");
        problem_response(503, "limit", "too many connections", &detail)
    };
    respond_and_close(socket, &response).await
}

/// Responds to bytes that are not a valid request, or that another server could read as a different
/// request.
pub(super) async fn reject_invalid_request<S: HttpService>(
    listener: &ListenerContext<S>,
    socket: impl AsyncRead + AsyncWrite + Unpin,
    error: HeadError,
) {
    let detail = error.to_string();
    tracing::debug!("request rejected: {detail}");
    listener.service.connection_rejected(&detail);
    let response = problem_response(error.status(), error.kind(), error.title(), &detail);
    // As above.
    let _ = tokio::time::timeout(REJECT_TIMEOUT, respond_and_close(socket, &response)).await;
}

async fn respond_and_close(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    response: &[u8],
) -> std::io::Result<()> {
    socket.write_all(response).await?;
    socket.shutdown().await?;
    // Closing a socket with unread bytes resets the connection, and the client would lose the
    // response.
    let mut buffer = [0; 512];
    let mut remaining = MAX_DISCARDED_BYTES;
    while remaining > 0 {
        match socket.read(&mut buffer).await? {
            0 => break,
            read => remaining = remaining.saturating_sub(read),
        }
    }
    Ok(())
}

/// A response in the form of the gateway's other errors (RFC 9457). Its detail stands where client
/// libraries look for it too, and in the reason phrase.
fn problem_response(code: u16, kind: &str, title: &str, detail: &str) -> Vec<u8> {
    let message = format!("ouli-gateway: {detail}");
    let body = serde_json::json!({
        "type": format!("urn:ouli:problem:{kind}"),
        "title": title,
        "status": code,
        "detail": detail,
        "error": { "message": message, "type": format!("ouli-{kind}") },
        "message": message,
    });
    let body = format!("{body:#}\n");
    let retry_after = if code == 503 {
        "retry-after: 1\r\n"
    } else {
        ""
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {code} {detail}\r\ncontent-type: application/problem+json\r\n\
         ouli-error: {kind}\r\nouli-error-detail: {detail}\r\n\
         {retry_after}connection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    (head + &body).into_bytes()
}
