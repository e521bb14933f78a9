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

use super::accept_loop::{Door, Socket};
use super::activity::{Activity, Busy};
use super::connection_limiter::Slot;
use super::frames::PREFACE;
use super::head_limits::{self, Refusal};
use super::http1::{self, After};
use super::request_body::Arriving;
use super::reset_on_close::{Breakable, Breaker};
use super::{Bounds, http2, idle, reject};

/// What answers requests. It never fails: every fault has a response.
pub trait Respond: Send + Sync + 'static {
    /// The body of its responses.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static;

    /// Answers one request. `busy` is to be kept until the response is sent whole.
    fn respond(
        &self,
        request: Request<Arriving>,
        busy: Busy,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Answers a request that is not served.
    fn refuse(
        &self,
        request: &Request<Arriving>,
        refusal: Refusal,
        busy: Busy,
    ) -> Response<Self::Body>;
}

/// A connection as what serves it sees it.
pub(super) struct At<S> {
    pub(super) door: Arc<Door<S>>,
    pub(super) activity: Arc<Activity>,
}

/// Serves one accepted socket; the slot is free again at the end of it and of its tunnels.
pub(super) async fn run<S: Respond>(socket: impl Socket, door: Arc<Door<S>>, slot: Slot) {
    let breaker = Arc::<Breaker>::default();
    let patience = door.bounds.response_idle_timeout;
    let socket = Breakable::new(socket, &breaker);
    serve(socket, door, (slot, Arc::clone(&breaker))).await;
    if breaker.is_asked_for() {
        Box::pin(breaker.reset(patience)).await;
    }
}

/// What a connection holds on to.
type Held = (Slot, Arc<Breaker>);

async fn serve<S: Respond>(socket: Breakable<impl Socket>, door: Arc<Door<S>>, held: Held) {
    let Some(tls) = &door.tls else {
        return speak(socket, door, held).await;
    };
    // On the heap, as all that a connection needs for a part of its time only.
    let handshake = Box::pin(tokio::time::timeout(
        door.bounds.tls_timeout,
        tls.accept(socket),
    ));
    let stream = match handshake.await {
        Ok(Ok(stream)) => Box::new(stream),
        Ok(Err(error)) => return tracing::debug!("TLS handshake: {error}"),
        Err(_) => return tracing::debug!("TLS handshake: no end within limits.tls_timeout"),
    };
    speak(stream, door, held).await;
}

async fn speak<S: Respond, T>(mut socket: T, door: Arc<Door<S>>, (slot, breaker): Held)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new(slot, breaker);
    let at = At { door, activity };
    let mut unread = Bytes::new();
    loop {
        let Some(first) = idle::first_bytes(&mut socket, unread, &at).await else {
            return;
        };
        if !at.activity.has_served() && first.starts_with(PREFACE) {
            return Box::pin(http2::serve(socket, first, &at)).await;
        }
        match Box::pin(http1::serve(socket, first, &at)).await {
            After::Rest(back, read) => (socket, unread) = (back, read),
            After::Fault(socket) => return Box::pin(reject::fault(socket)).await,
            After::End => return,
        }
    }
}

/// A request that was taken up.
pub(super) struct Taken {
    request: Request<Arriving>,
    busy: Busy,
}

/// Takes a request up, in the order in which requests come.
pub(super) fn take<S>(
    door: &Door<S>,
    activity: &Arc<Activity>,
    request: Request<Incoming>,
) -> Taken {
    let patience = Arriving::of(&request, &door.bounds);
    let verdict = patience.as_ref().map(|(verdict, _, _)| verdict.clone());
    let busy = activity.begin(&door.bounds, verdict);
    let request = request.map(|body| Arriving::new(body, Arc::clone(activity), patience));
    Taken { request, busy }
}

/// Answers a request.
pub(super) async fn answer<S: Respond>(door: &Door<S>, taken: Taken) -> Response<S::Body> {
    let Taken { request, busy } = taken;
    match head_limits::check(&request, &door.bounds) {
        Ok(()) => door.respond.respond(request, busy).await,
        Err(refusal) => door.respond.refuse(&request, refusal, busy),
    }
}

/// Often enough that a time limit is kept to within a quarter.
pub(super) fn between_looks(bounds: &Bounds) -> Duration {
    let shortest = bounds
        .header_timeout
        .min(bounds.idle_timeout)
        .min(bounds.response_idle_timeout);
    (shortest / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::AtomicUsize;

    use http_body_util::Full;
    use tokio::io::DuplexStream;

    use super::*;
    use crate::drain::Drain;
    use crate::server::Places;
    use ouli_config::Limits;

    /// Says nothing, whatever it is asked.
    pub(crate) struct Nobody;

    impl Respond for Nobody {
        type Body = Full<Bytes>;

        async fn respond(&self, _: Request<Arriving>, _: Busy) -> Response<Full<Bytes>> {
            Response::default()
        }

        fn refuse(&self, _: &Request<Arriving>, _: Refusal, _: Busy) -> Response<Full<Bytes>> {
            Response::default()
        }
    }

    #[test]
    fn a_connection_at_rest_is_small() {
        let limits = Limits::default();
        let door = Arc::new(Door {
            respond: Nobody,
            bounds: Bounds::from(&limits),
            tls: None,
            drain: Drain::default(),
            refused: AtomicUsize::new(0),
        });
        let slot = Places::new(&limits).take([127, 0, 0, 1].into()).unwrap();
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
