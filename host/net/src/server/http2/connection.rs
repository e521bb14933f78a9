//! Serves a connection with hyper while it is active, and without while it is idle.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::idle;
use super::shared_io::SharedIo;
use crate::drain::Drain;
use crate::http::forwarding;
use crate::server::activity::Activity;
use crate::server::bounds::Bounds;
use crate::server::context::{ConnectionContext, ListenerContext};
use crate::server::dispatch;
use crate::server::frames::FrameInspector;
use crate::server::http1::check_for_slow_reader;
use crate::server::inspected_io::{InspectedIo, Inspector};
use crate::server::response_body::ResponseBody;
use crate::server::service::HttpService;
use ouli_message::error_chain::error_chain;

/// After this long without a request, a connection drops h2.
const IDLE_RELEASE_DELAY: Duration = Duration::from_secs(1);

/// Serves until the connection ends.
pub(in crate::server) async fn serve<S: HttpService, T>(
    socket: T,
    first: Bytes,
    connection: &ConnectionContext<S>,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let frames = FrameInspector::new(&connection.listener.bounds);
    let inspector = Inspector::Http2(Box::new(frames));
    let mut io = InspectedIo::new(socket, first, Arc::clone(&connection.activity), inspector);
    connection.activity.interim().set_current_task().await;
    loop {
        let Some(mut idle_io) = Box::pin(serve_until_idle(io, connection)).await else {
            return;
        };
        let Some(first) = idle::wait_for_frame(&mut idle_io, connection).await else {
            return;
        };
        idle_io.resume(first);
        io = idle_io;
    }
}

/// Serves until the connection is idle. `None` if it has ended.
pub(super) async fn serve_until_idle<S: HttpService, T>(
    io: InspectedIo<T>,
    connection: &ConnectionContext<S>,
) -> Option<InspectedIo<T>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (listener, activity) = (&connection.listener, &connection.activity);
    let bounds = &listener.bounds;
    let io = SharedIo::new(io);
    let context = (Arc::clone(listener), Arc::clone(activity));
    let service = service_fn(move |request| respond(context.clone(), request));
    let builder = builder(bounds, &listener.drain);
    let mut http2 = builder.serve_connection(TokioIo::new(io.clone_handle()), service);
    let mut drain_signal = listener.drain.signal();
    let mut drain_signal = pin!(drain_signal.draining());
    let mut stopping = false;
    let mut shutting_down: Option<Instant> = None;
    let mut interval = bounds.timeout_check_interval();
    let mut timeout_check = pin!(tokio::time::sleep(interval));
    let can_suspend = |io: &InspectedIo<T>| io.can_suspend(bounds.http2_connection_window);
    let stays_open = poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = Pin::new(&mut http2).poll(cx) {
                if let Err(error) = result {
                    report_failure(&listener.service, &error);
                }
                return Poll::Ready(false);
            }
            stopping = stopping || drain_signal.as_mut().poll(cx).is_ready();
            let is_resuming = io.with(InspectedIo::is_resuming);
            if (stopping || activity.is_draining()) && shutting_down.is_none() && !is_resuming {
                shutting_down = Some(Instant::now());
                interval = interval.min(bounds.keepalive_drain_timeout);
                timeout_check.as_mut().reset(Instant::now() + interval);
                Pin::new(&mut http2).graceful_shutdown();
                continue;
            }
            check_for_slow_reader(activity, timeout_check.as_mut());
            ready!(timeout_check.as_mut().poll(cx));
            activity.give_back_permits();
            timeout_check.as_mut().reset(Instant::now() + interval);
            let since = shutting_down.filter(|_| stopping);
            if since.is_some_and(|since| is_drained(activity, bounds, since)) {
                return Poll::Ready(false);
            }
            match activity.expired_timeout(bounds) {
                None if shutting_down.is_none() && is_idle(activity) && io.with(can_suspend) => {
                    return Poll::Ready(true);
                }
                None => {}
                // The client is sent a GOAWAY, and has until the next check to end the connection.
                Some("idle_timeout") if shutting_down.is_none() && !activity.is_draining() => {
                    activity.start_draining()
                }
                Some(key) => {
                    tracing::debug!("connection closed by limits.{key}");
                    return Poll::Ready(false);
                }
            }
        }
    });
    if !stays_open.await {
        return None;
    }
    drop(http2);
    io.into_inner()
}

/// The response to a request.
fn respond<S: HttpService>(
    (listener, activity): (Arc<ListenerContext<S>>, Arc<Activity>),
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<ResponseBody<S::Body>>, Infallible>> {
    let admitted = dispatch::admit_request(&listener, &activity, request);
    let number = admitted.number();
    async move {
        let mut response = dispatch::handle(&listener, &activity, admitted).await;
        forwarding::detach(response.headers_mut());
        Ok(response.map(|body| ResponseBody::new(body, number, activity)))
    }
}

/// Logs why a connection has failed. The service is told if its bytes were not valid.
fn report_failure(service: &impl HttpService, error: &hyper::Error) {
    let reason = error_chain(error);
    tracing::debug!("HTTP/2 connection failed: {reason}");
    if is_rejection(error) {
        service.connection_rejected(&reason);
    }
}

/// True if the gateway ends the connection: the client violates the protocol.
fn is_rejection(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    let error = source.and_then(|source| source.downcast_ref::<h2::Error>());
    error.is_some_and(|error| error.is_go_away() && error.is_library())
}

/// True if the connection has been quiescent for a while. Unlike on HTTP/1.1, an unread body does
/// not matter: frames tell where the next request begins.
fn is_idle(activity: &Activity) -> bool {
    activity.is_quiescent() && activity.idle_time() >= IDLE_RELEASE_DELAY
}

/// True if the client of a connection that stops since then has had its time for a last request. h2
/// waits until the client acknowledges a PING, which one that does not read never does.
fn is_drained(activity: &Activity, bounds: &Bounds, since: Instant) -> bool {
    let idle = activity.idle_time().min(since.elapsed());
    activity.is_quiescent() && idle >= bounds.keepalive_drain_timeout
}

/// Spawns hyper's tasks, one for each stream.
impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Drain {
    fn execute(&self, task: F) {
        self.spawn(task);
    }
}

pub(super) fn builder(bounds: &Bounds, drain: &Drain) -> Builder<Drain> {
    let mut builder = Builder::new(drain.clone());
    builder
        .timer(TokioTimer::new())
        .auto_date_header(false)
        // WebSocket over HTTP/2 (RFC 8441, section 3).
        .enable_connect_protocol()
        .max_concurrent_streams(bounds.http2_max_concurrent_streams)
        .initial_stream_window_size(bounds.http2_stream_window)
        .initial_connection_window_size(bounds.http2_connection_window)
        .max_frame_size(bounds.http2_max_frame_size)
        // h2 rejects a list without a body in the response; the first list above the limit gets
        // one (`head_limits.rs`).
        .max_header_list_size(bounds.http2_max_header_list_size.saturating_mul(2))
        .header_table_size(bounds.http2_header_table_size)
        .max_send_buf_size(bounds.http2_send_buffer)
        .max_pending_accept_reset_streams(bounds.http2_max_pending_resets)
        .max_local_error_reset_streams(bounds.http2_max_local_resets)
        .keep_alive_interval(bounds.http2_ping_interval)
        .keep_alive_timeout(bounds.http2_ping_timeout);
    builder
}
