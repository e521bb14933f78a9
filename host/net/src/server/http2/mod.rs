//! HTTP/2 on a connection, from its preface to its end.
//!
//! h2 and hyper take some 40 KB for a connection, however little it does. So one that is at rest
//! gives them up, and begins with new ones that are told what the client knows of the old ones
//! (`frames::agreed`). The client notices nothing.

mod idle;
mod shared_io;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::Bounds;
use super::activity::Activity;
use super::connection::{self, ConnectionContext, HttpService};
use super::frames::FrameInspector;
use super::inspected_io::{InspectedIo, Inspector};
use super::response_body::ResponseBody;
use crate::http::forwarding;
use shared_io::SharedIo;

/// Bytes of a response that are handed to a stream at once.
const RESPONSE_CHUNK: usize = 16 << 10;

/// After so long without a request, a connection gives h2 back.
const IDLE_RELEASE_DELAY: Duration = Duration::from_secs(1);

/// Serves to the end of the connection.
pub(super) async fn serve<S: HttpService, T>(socket: T, first: Bytes, at: &ConnectionContext<S>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let look = Inspector::Http2(Box::new(FrameInspector::new(&at.listener.bounds)));
    let mut watched = InspectedIo::new(socket, first, Arc::clone(&at.activity), look);
    loop {
        let Some(mut resting) = Box::pin(serve_until_idle(watched, at)).await else {
            return;
        };
        let Some(first) = idle::wait_for_frame(&mut resting, at).await else {
            return;
        };
        resting.resume(first);
        watched = resting;
    }
}

/// Serves until the connection is at rest, or to its end, where there is none any more.
async fn serve_until_idle<S: HttpService, T>(
    watched: InspectedIo<T>,
    at: &ConnectionContext<S>,
) -> Option<InspectedIo<T>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let bounds = &at.listener.bounds;
    let activity = &at.activity;
    let lent = SharedIo::new(watched);
    let (door, shared, numbers) = (
        Arc::clone(&at.listener),
        Arc::clone(activity),
        AtomicU64::new(0),
    );
    let service = service_fn(move |request| {
        let (taken, shared) = (
            connection::admit_request(&door, &shared, request),
            Arc::clone(&shared),
        );
        let (door, number) = (Arc::clone(&door), numbers.fetch_add(1, Ordering::Relaxed));
        async move {
            let mut response = connection::handle(&door, taken).await;
            forwarding::detach(response.headers_mut());
            Ok::<_, Infallible>(
                response.map(|body| ResponseBody::new(body, number, RESPONSE_CHUNK, shared)),
            )
        }
    });
    let builder = builder(bounds);
    let mut connection = builder.serve_connection(TokioIo::new(lent.clone_handle()), service);
    let mut stop = at.listener.drain.signal();
    let mut stop = pin!(stop.draining());
    let mut stopping = false;
    let mut leaving = false;
    let mut look = pin!(tokio::time::sleep(connection::timeout_check_interval(
        bounds
    )));
    let may_rest = |socket: &InspectedIo<T>| socket.can_suspend(bounds.http2_connection_window);
    let goes_on = poll_fn(|cx| {
        loop {
            if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
                if let Err(error) = ended {
                    tracing::debug!(
                        "connection: {}",
                        ouli_message::error_chain::error_chain(&error)
                    );
                }
                return Poll::Ready(false);
            }
            stopping = stopping || stop.as_mut().poll(cx).is_ready();
            let is_new = lent.with(InspectedIo::is_resuming);
            if (stopping || activity.is_draining()) && !leaving && !is_new {
                leaving = true;
                Pin::new(&mut connection).graceful_shutdown();
                continue;
            }
            ready!(look.as_mut().poll(cx));
            look.as_mut()
                .reset(Instant::now() + connection::timeout_check_interval(bounds));
            match activity.expired_timeout(bounds) {
                None if !leaving && is_idle(activity) && lent.with(may_rest) => {
                    return Poll::Ready(true);
                }
                None => {}
                // The client is told, and has until the next look.
                Some("idle_timeout") if !leaving && !activity.is_draining() => {
                    activity.start_draining()
                }
                Some(key) => {
                    tracing::debug!("connection: closed by limits.{key}");
                    return Poll::Ready(false);
                }
            }
        }
    });
    if !goes_on.await {
        return None;
    }
    drop(connection);
    lent.into_inner()
}

/// A body that nobody read is no matter: frames tell where the next one begins.
fn is_idle(activity: &Activity) -> bool {
    activity.is_quiescent() && activity.idle_time() >= IDLE_RELEASE_DELAY
}

fn builder(bounds: &Bounds) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .auto_date_header(false)
        // WebSocket over HTTP/2 (RFC 8441, section 3).
        .enable_connect_protocol()
        .max_concurrent_streams(bounds.http2_max_concurrent_streams)
        .initial_stream_window_size(bounds.http2_stream_window)
        .initial_connection_window_size(bounds.http2_connection_window)
        .max_frame_size(bounds.http2_max_frame_size)
        .max_header_list_size(bounds.http2_max_header_list_size)
        .header_table_size(bounds.http2_header_table_size)
        .max_send_buf_size(bounds.http2_send_buffer)
        .max_pending_accept_reset_streams(bounds.http2_max_pending_resets)
        .max_local_error_reset_streams(bounds.http2_max_local_resets)
        .keep_alive_interval(bounds.http2_ping_interval)
        .keep_alive_timeout(bounds.http2_ping_timeout);
    builder
}
