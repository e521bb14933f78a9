//! One connection: TLS where asked for, then HTTP/1.1 or HTTP/2 by what the client speaks first,
//! until its peer ends it, a limit does, or a stop.
//!
//! ```text
//!            first bytes                      preface
//!  at rest ───────────────▶ HTTP/1.1   at rest ───────▶ HTTP/2 ───▶ end
//!     ▲                        │
//!     └────────────────────────┘ no request for a while
//! ```
//!
//! At rest a connection has no buffers and nothing of hyper's; that is what most of many
//! connections are at any time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};

use super::accept_loop::{ListenerContext, Socket};
use super::activity::{Activity, RequestGuard};
use super::connection_limiter::ConnectionPermit;
use super::frames::PREFACE;
use super::head_limits::{self, Rejection};
use super::http1::{self, Outcome};
use super::request_body::IncomingBody;
use super::reset_on_close::{ResetOnClose, ResettableIo};
use super::{Bounds, http2, idle, reject};

/// What answers requests. It never fails: every fault has a response.
pub trait HttpService: Send + Sync + 'static {
    /// The body of its responses.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static;

    /// Answers one request. `busy` is to be kept until the response is sent whole.
    fn call(
        &self,
        request: Request<IncomingBody>,
        busy: RequestGuard,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Answers a request that is not served.
    fn reject(
        &self,
        request: &Request<IncomingBody>,
        refusal: Rejection,
        busy: RequestGuard,
    ) -> Response<Self::Body>;
}

/// A connection as what serves it sees it.
pub(super) struct ConnectionContext<S> {
    pub(super) listener: Arc<ListenerContext<S>>,
    pub(super) activity: Arc<Activity>,
}

/// Serves one accepted socket; the slot is free again at the end of it and of its tunnels.
pub(super) async fn run<S: HttpService>(
    socket: impl Socket,
    door: Arc<ListenerContext<S>>,
    slot: ConnectionPermit,
) {
    let breaker = Arc::<ResetOnClose>::default();
    let patience = door.bounds.response_send_timeout;
    let socket = ResettableIo::new(socket, &breaker);
    serve_socket(socket, door, (slot, Arc::clone(&breaker))).await;
    if breaker.is_requested() {
        Box::pin(breaker.reset(patience)).await;
    }
}

/// What a connection holds on to.
type ConnectionResources = (ConnectionPermit, Arc<ResetOnClose>);

async fn serve_socket<S: HttpService>(
    socket: ResettableIo<impl Socket>,
    door: Arc<ListenerContext<S>>,
    held: ConnectionResources,
) {
    let Some(tls) = &door.tls else {
        return serve_http(socket, door, held).await;
    };
    // On the heap, as all that a connection needs for a part of its time only.
    let handshake = Box::pin(tokio::time::timeout(
        door.bounds.tls_handshake_timeout,
        tls.accept(socket),
    ));
    let stream = match handshake.await {
        Ok(Ok(stream)) => Box::new(stream),
        Ok(Err(error)) => return tracing::debug!("TLS handshake: {error}"),
        Err(_) => {
            return tracing::debug!("TLS handshake: no end within limits.tls_handshake_timeout");
        }
    };
    serve_http(stream, door, held).await;
}

async fn serve_http<S: HttpService, T>(
    mut socket: T,
    door: Arc<ListenerContext<S>>,
    (slot, breaker): ConnectionResources,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new(slot, breaker);
    let at = ConnectionContext {
        listener: door,
        activity,
    };
    let mut unread = Bytes::new();
    loop {
        let Some(first) = idle::read_first_bytes(&mut socket, unread, &at).await else {
            return;
        };
        if !at.activity.has_had_requests() && first.starts_with(PREFACE) {
            return Box::pin(http2::serve(socket, first, &at)).await;
        }
        match Box::pin(http1::serve(socket, first, &at)).await {
            Outcome::Idle(back, read) => (socket, unread) = (back, read),
            Outcome::InvalidRequest(socket) => {
                return Box::pin(reject::reject_invalid_request(socket)).await;
            }
            Outcome::Closed => return,
        }
    }
}

/// A request that was taken up.
pub(super) struct AdmittedRequest {
    request: Request<IncomingBody>,
    guard: RequestGuard,
}

/// Takes a request up, in the order in which requests come.
pub(super) fn admit_request<S>(
    door: &ListenerContext<S>,
    activity: &Arc<Activity>,
    request: Request<Incoming>,
) -> AdmittedRequest {
    let patience = IncomingBody::timeouts_for(&request, &door.bounds);
    let verdict = patience.as_ref().map(|(verdict, _, _)| verdict.clone());
    let busy = activity.begin_request(&door.bounds, verdict);
    let request = request.map(|body| IncomingBody::new(body, Arc::clone(activity), patience));
    AdmittedRequest {
        request,
        guard: busy,
    }
}

/// Answers a request.
pub(super) async fn handle<S: HttpService>(
    door: &ListenerContext<S>,
    taken: AdmittedRequest,
) -> Response<S::Body> {
    let AdmittedRequest {
        request,
        guard: busy,
    } = taken;
    match head_limits::check_head(&request, &door.bounds) {
        Ok(()) => door.service.call(request, busy).await,
        Err(refusal) => door.service.reject(&request, refusal, busy),
    }
}

/// Often enough that a time limit is kept to within a quarter.
pub(super) fn timeout_check_interval(bounds: &Bounds) -> Duration {
    let shortest = bounds
        .request_header_timeout
        .min(bounds.idle_timeout)
        .min(bounds.response_send_timeout);
    (shortest / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::AtomicUsize;

    use http_body_util::Full;
    use tokio::io::DuplexStream;

    use super::*;
    use crate::drain::Drain;
    use crate::server::ConnectionLimiter;
    use ouli_config::Limits;

    /// Says nothing, whatever it is asked.
    pub(crate) struct Nobody;

    impl HttpService for Nobody {
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
    fn a_connection_at_rest_is_small() {
        let limits = Limits::default();
        let door = Arc::new(ListenerContext {
            service: Nobody,
            bounds: Bounds::from(&limits),
            tls: None,
            drain: Drain::default(),
            active_rejections: AtomicUsize::new(0),
        });
        let slot = ConnectionLimiter::new(&limits)
            .try_acquire([127, 0, 0, 1].into())
            .unwrap();
        let (socket, _other) = tokio::io::duplex(64);
        assert!(
            size_of::<DuplexStream>() < 100,
            "about as large as a socket"
        );
        let connection = run(socket, door, slot);
        let bytes = size_of_val(&connection);
        assert!(
            bytes <= 1200,
            "{bytes} bytes for each connection that does nothing"
        );
    }
}
