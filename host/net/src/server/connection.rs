//! One connection: the TLS handshake, then HTTP/1.1 or HTTP/2 depending on the first bytes, until
//! the client, a limit or a stop ends it.
//!
//! ```text
//!            first bytes                     preface
//!  idle  ───────────────▶ HTTP/1.1    idle ─────────▶ HTTP/2 ───▶ closed
//!    ▲                       │
//!    └───────────────────────┘ no request for a while
//! ```
//!
//! An idle connection has no buffers and no hyper state: of many connections, most are idle at any
//! time.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::Span;

use super::activity::Activity;
use super::connection_limiter::ConnectionPermit;
use super::context::{ConnectionContext, ListenerContext};
use super::frames::PREFACE;
use super::head_error::HeadError;
use super::http1::{self, Outcome};
use super::reset_on_close::{ResetOnClose, ResettableIo};
use super::service::HttpService;
use super::socket::Socket;
use super::{http2, idle, reject, tls_handshake};

/// Serves one accepted socket. The permit is released once the connection and its tunnels end.
pub(super) async fn run<S: HttpService>(
    socket: impl Socket,
    listener: Arc<ListenerContext<S>>,
    permit: ConnectionPermit,
) {
    let reset_on_close = Arc::<ResetOnClose>::default();
    let timeout = listener.bounds.response_send_timeout;
    let socket = ResettableIo::new(socket, &reset_on_close);
    serve_socket(socket, listener, (permit, Arc::clone(&reset_on_close))).await;
    if reset_on_close.is_requested() {
        Box::pin(reset_on_close.reset(timeout)).await;
    }
}

/// What a connection owns besides its socket.
type ConnectionResources = (ConnectionPermit, Arc<ResetOnClose>);

async fn serve_socket<S: HttpService>(
    socket: Pin<ResettableIo<impl Socket>>,
    listener: Arc<ListenerContext<S>>,
    resources: ConnectionResources,
) {
    let Some(tls) = &listener.tls else {
        return serve_http(socket, listener, resources).await;
    };
    // On the heap, like everything that a connection needs only for a part of its life.
    let handshake = Box::pin(tokio::time::timeout(
        listener.bounds.tls_handshake_timeout,
        tls_handshake::accept(tls, socket, &listener),
    ));
    let stream = match handshake.await {
        Ok(Some(stream)) => stream,
        Ok(None) => return,
        Err(_) => {
            return tracing::debug!("TLS handshake timed out (limits.tls_handshake_timeout)");
        }
    };
    let version = stream.get_ref().1.protocol_version();
    if let Some(version) = version.and_then(|version| version.as_str()) {
        Span::current().record("tls", version);
    }
    serve_http(stream, listener, resources).await;
}

async fn serve_http<S: HttpService, T>(
    mut socket: T,
    listener: Arc<ListenerContext<S>>,
    (permit, reset_on_close): ConnectionResources,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = ConnectionContext {
        listener,
        activity: Activity::new(permit, reset_on_close),
    };
    let mut unread = Bytes::new();
    loop {
        let first = idle::read_first_bytes(&mut socket, unread, &connection).await;
        let Some(first) = first else {
            return;
        };
        if !connection.activity.has_had_requests() {
            let is_http2 = first.starts_with(PREFACE);
            Span::current().record("protocol", if is_http2 { "h2" } else { "http/1.1" });
            if is_http2 {
                return Box::pin(http2::serve(socket, first, &connection)).await;
            }
        }
        match Box::pin(http1::serve(socket, first, &connection)).await {
            Outcome::Idle(idle_socket, buffered) => (socket, unread) = (idle_socket, buffered),
            Outcome::InvalidRequest(socket, error) => {
                let listener = &connection.listener;
                if error == HeadError::Tls {
                    listener.warnings.warn(&format!("{error}"));
                }
                return Box::pin(reject::reject_invalid_request(listener, socket, error)).await;
            }
            Outcome::Closed => return,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::server::contention::Contention;
    use std::sync::atomic::AtomicUsize;

    use http::{Request, Response};
    use http_body_util::Full;
    use tokio::io::DuplexStream;

    use super::*;
    use crate::drain::Drain;
    use crate::server::bounds::Bounds;
    use crate::server::connection_limiter::{ConnectionLimiter, ConnectionLimits};
    use crate::server::error::Rejection;
    use crate::server::request_body::IncomingBody;
    use crate::server::request_guard::RequestGuard;
    use crate::server::warning_throttle::WarningThrottle;

    /// Responds to every request with an empty 200.
    pub(crate) struct EmptyResponses;

    impl HttpService for EmptyResponses {
        type Body = Full<Bytes>;

        async fn call(&self, _: Request<IncomingBody>, _: RequestGuard) -> Response<Full<Bytes>> {
            Response::default()
        }

        fn reject(
            &self,
            _: &Request<IncomingBody>,
            _: Rejection,
            _: RequestGuard,
        ) -> Response<Full<Bytes>> {
            Response::default()
        }
    }

    #[test]
    fn an_idle_connection_is_small() {
        let listener = Arc::new(ListenerContext {
            service: EmptyResponses,
            endpoint: "api".into(),
            bounds: Bounds::default(),
            tls: None,
            warnings: WarningThrottle::default(),
            drain: Drain::default(),
            contention: Contention::default(),
            active_rejections: AtomicUsize::new(0),
        });
        let permit = ConnectionLimiter::new(ConnectionLimits::default())
            .try_acquire([127, 0, 0, 1].into())
            .unwrap();
        let (socket, _client) = tokio::io::duplex(64);
        assert!(
            size_of::<DuplexStream>() < 100,
            "about as large as a socket"
        );
        let connection = run(socket, listener, permit);
        let bytes = size_of_val(&connection);
        assert!(bytes <= 1200, "an idle connection takes {bytes} bytes");
    }
}
