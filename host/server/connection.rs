//! One connection: TLS where asked for, then HTTP/1.1 or HTTP/2, until its peer ends it, it is idle
//! for too long, or a stop begins.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use super::Bounds;
use super::activity::{Activity, Busy, Watched};
use super::breaker::{Breakable, Breaker};
use super::ending;
use super::listener::Door;

/// What answers requests. It never fails: every fault has a response.
pub trait Respond: Send + Sync + 'static {
    /// The body of its responses.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static;

    /// Answers one request. `busy` is to be kept until the response is sent whole.
    fn respond(
        &self,
        request: Request<Incoming>,
        busy: Busy,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// Serves one accepted socket; the slot is free again at the end of it and of its tunnels.
pub(super) async fn run<S: Respond>(
    stream: TcpStream,
    door: Arc<Door<S>>,
    slot: OwnedSemaphorePermit,
) {
    // Small writes (events, gRPC messages) must not wait for an acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("TCP_NODELAY: {error}");
    }
    let breaker = Arc::<Breaker>::default();
    let stream = Breakable::new(stream, &breaker);
    let held = (slot, Arc::clone(&breaker));
    match &door.tls {
        None => speak(stream, &door, held).await,
        Some(tls) => {
            let handshake = tokio::time::timeout(door.bounds.tls_timeout, tls.accept(stream));
            match handshake.await {
                Ok(Ok(stream)) => speak(stream, &door, held).await,
                Ok(Err(error)) => tracing::debug!("TLS handshake: {error}"),
                Err(_) => tracing::debug!("TLS handshake: no end within limits.tls_timeout"),
            }
        }
    }
    breaker.reset(door.bounds.idle_timeout).await;
}

async fn speak<S: Respond>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    door: &Arc<Door<S>>,
    (slot, breaker): (OwnedSemaphorePermit, Arc<Breaker>),
) {
    let activity = Activity::new(slot, breaker);
    let socket = TokioIo::new(Watched::new(stream, Arc::clone(&activity)));
    let (handler, shared) = (Arc::clone(door), Arc::clone(&activity));
    let service = service_fn(move |request| {
        let (door, activity) = (Arc::clone(&handler), Arc::clone(&shared));
        if request.version() == Version::HTTP_2 {
            activity.speaks_http2();
        }
        let busy = activity.begin();
        async move {
            let response = door.respond.respond(request, busy).await;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                activity.switch();
            }
            Ok::<_, Infallible>(ending::last_of(&activity, response))
        }
    });
    let builder = builder(&door.bounds);
    let mut connection = pin!(builder.serve_connection_with_upgrades(socket, service));
    let mut stop = door.drain.stop();
    let mut look = tokio::time::interval(between_looks(&door.bounds));
    let (mut stopping, mut ending) = (false, false);
    loop {
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!("connection: {error}");
                }
                return;
            }
            () = stop.begun(), if !stopping => {
                stopping = true;
                activity.begin_stop();
                look = tokio::time::interval(ending::between_looks(&door.bounds));
            }
            _ = look.tick() => {
                if activity.expired(door.bounds.header_timeout, door.bounds.idle_timeout) {
                    return;
                }
                if stopping && !ending && ending::may_end(&activity, &door.bounds, &stop) {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// Often enough that a time limit is kept to within a quarter.
fn between_looks(bounds: &Bounds) -> Duration {
    let shortest = bounds.header_timeout.min(bounds.idle_timeout);
    (shortest / 4).max(Duration::from_millis(10))
}

/// The fields that hyper takes by itself.
const HYPER_HEADERS: usize = 100;

fn builder(bounds: &Bounds) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        // Replay adds nothing that was not recorded, and no clock is read for it.
        .auto_date_header(false)
        .max_buf_size(bounds.header_bytes.max(8192));
    if bounds.headers != HYPER_HEADERS {
        // Any other number costs an allocation per request.
        builder.http1().max_headers(bounds.headers);
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .auto_date_header(false)
        // WebSocket over HTTP/2 (RFC 8441, section 3).
        .enable_connect_protocol()
        .max_concurrent_streams(bounds.http2_streams)
        .initial_stream_window_size(bounds.http2_stream_window)
        .initial_connection_window_size(bounds.http2_connection_window)
        .max_header_list_size(bounds.http2_header_list)
        .max_send_buf_size(bounds.http2_send_buffer)
        .max_pending_accept_reset_streams(bounds.http2_resets)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}
