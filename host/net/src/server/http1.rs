//! HTTP/1.1 on a connection, from the first bytes of a head until the connection is idle again.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONNECTION;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};

use super::activity::{Activity, SLOW_READER};
use super::bounds::Bounds;
use super::context::ConnectionContext;
use super::dispatch;
use super::head_error::HeadError;
use super::http1_body::Http1Body;
use super::http1_validator::{HeadLimits, Http1Validator};
use super::inspected_io::{InspectedIo, Inspector};
use super::service::HttpService;
use crate::http::set_default_reason;

/// After this long without a request, a connection releases its buffers.
const IDLE_RELEASE_DELAY: Duration = Duration::from_secs(1);

/// How serving a connection ended.
pub(super) enum Outcome<T> {
    /// The connection is idle. Holds the socket and the unread bytes.
    Idle(T, Bytes),
    /// The last head is not a valid request, or did not arrive in time.
    InvalidRequest(T, HeadError),
    /// The connection is closed or upgraded.
    Closed,
}

/// Why hyper stops serving a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The connection is idle, or its last head is invalid.
    Released,
    /// The last head did not arrive in time.
    HeadTimeout,
    /// It is closed or upgraded.
    Closed,
}

/// Serves requests until the connection is idle or ends.
pub(super) async fn serve<S: HttpService, T>(
    socket: T,
    first: Bytes,
    connection: &ConnectionContext<S>,
) -> Outcome<T>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (listener, activity) = (&connection.listener, &connection.activity);
    let bounds = &listener.bounds;
    activity.options_targets().clear();
    let io = InspectedIo::new(socket, first, Arc::clone(activity), inspector(bounds));
    let context = (Arc::clone(listener), Arc::clone(activity));
    let service = service_fn(move |request: Request<Incoming>| {
        let (listener, activity) = context.clone();
        let (method, version) = (request.method().clone(), request.version());
        let admitted = dispatch::admit_request(&listener, &activity, request);
        async move {
            let response = dispatch::handle(&listener, &activity, admitted).await;
            Ok::<_, Infallible>(complete_response(&activity, (&method, version), response))
        }
    });
    let mut http1 = builder(bounds)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    activity.interim().set_current_task().await;
    let mut drain_signal = listener.drain.signal();
    let mut drain_signal = pin!(drain_signal.draining());
    let mut stopping = false;
    let interval = bounds.timeout_check_interval();
    let mut timeout_check = pin!(tokio::time::sleep(interval));
    let end = poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = Pin::new(&mut http1).poll(cx) {
                if let Err(error) = result {
                    tracing::debug!("HTTP/1.1 connection failed: {error}");
                }
                return Poll::Ready(End::Closed);
            }
            stopping = stopping || drain_signal.as_mut().poll(cx).is_ready();
            if stopping {
                activity.start_draining();
            }
            let release =
                activity.is_idle() && (stopping || activity.idle_time() >= IDLE_RELEASE_DELAY);
            if release || activity.is_rejection_due() {
                return Poll::Ready(End::Released);
            }
            if report_half_close(activity, bounds, timeout_check.as_mut()) {
                continue;
            }
            check_for_slow_reader(activity, timeout_check.as_mut());
            ready!(timeout_check.as_mut().poll(cx));
            activity.give_back_permits();
            if let Some(end) = timeout_end(activity, bounds) {
                return Poll::Ready(end);
            }
            timeout_check.as_mut().reset(Instant::now() + interval);
        }
    });
    let end = end.await;
    if end == End::Closed {
        return Outcome::Closed;
    }
    let Some(parts) = http1.into_parts() else {
        return Outcome::Closed;
    };
    outcome(end, parts.io.into_inner(), parts.read_buf)
}

/// Validates the bytes of the client before hyper parses them.
fn inspector(bounds: &Bounds) -> Inspector {
    Inspector::Http1(Http1Validator::new(HeadLimits {
        bytes: bounds.header_bytes,
        fields: bounds.header_count,
    }))
}

/// The connection once hyper has given its socket back.
fn outcome<T>(end: End, io: InspectedIo<T>, read: Bytes) -> Outcome<T> {
    let timeout = (end == End::HeadTimeout).then_some(HeadError::Timeout);
    let error = timeout.or(io.head_error());
    let (socket, unread) = io.into_parts();
    match error {
        Some(error) => Outcome::InvalidRequest(socket, error),
        None => Outcome::Idle(socket, concat(read, &unread)),
    }
}

/// Tells hyper that the client has ended its stream, once that is due. True if hyper must be polled
/// for it.
fn report_half_close(activity: &Activity, bounds: &Bounds, mut timer: Pin<&mut Sleep>) -> bool {
    let half_close = activity.half_close();
    let is_active = activity.has_active_requests() || !activity.is_flushed();
    let Some(time) = half_close.report_time(is_active, bounds.half_close_timeout) else {
        return false;
    };
    if time <= Instant::now() {
        half_close.report();
        return true;
    }
    if time < timer.deadline() {
        timer.as_mut().reset(time);
    }
    false
}

/// Has the connection checked soon, if a response that may hold a permit waits for its client.
pub(super) fn check_for_slow_reader(activity: &Activity, timer: Pin<&mut Sleep>) {
    if !activity.awaits_reader() {
        return;
    }
    let due = Instant::now() + SLOW_READER;
    if due < timer.deadline() {
        timer.reset(due);
    }
}

/// How the connection ends if a time limit has expired.
fn timeout_end(activity: &Activity, bounds: &Bounds) -> Option<End> {
    let key = activity.expired_timeout(bounds)?;
    tracing::debug!("connection closed by limits.{key}");
    let is_head = key == "request_header_timeout" && activity.is_flushed();
    Some(if is_head {
        End::HeadTimeout
    } else {
        End::Closed
    })
}

fn concat(first: Bytes, rest: &[u8]) -> Bytes {
    if rest.is_empty() {
        return first;
    }
    let mut both = BytesMut::from(&first[..]);
    both.extend_from_slice(rest);
    both.freeze()
}

/// Completes a response to a request of this method and version. It has `connection: close` if it
/// is the last of its connection; a 101 response ends HTTP on the connection anyway.
fn complete_response<B: Body>(
    activity: &Arc<Activity>,
    request: (&Method, Version),
    mut response: Response<B>,
) -> Response<Http1Body<B>> {
    activity.half_close().begin_response();
    let status = response.status();
    set_default_reason(status, response.extensions_mut());
    if status == StatusCode::SWITCHING_PROTOCOLS {
        activity.mark_upgraded();
    } else if activity.is_draining() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    Http1Body::wrap(response, request, activity)
}

/// hyper's default limit of header fields.
const HYPER_DEFAULT_MAX_HEADERS: usize = 100;

fn builder(bounds: &Bounds) -> Builder {
    let mut builder = Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        // Replay adds no field that was not recorded, and reads no clock.
        .auto_date_header(false)
        // A head that is too large is rejected before hyper notices.
        .max_buf_size(bounds.header_bytes.max(8192) + 4096);
    if bounds.header_count != HYPER_DEFAULT_MAX_HEADERS {
        // Any other number costs an allocation per request.
        builder.max_headers(bounds.header_count);
    }
    builder
}
