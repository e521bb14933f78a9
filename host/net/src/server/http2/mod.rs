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
use super::connection::{self, At, Respond};
use super::frames::Frames;
use super::inspected_io::{Look, Watched};
use super::response_body::Leaving;
use crate::http::forwarding;
use shared_io::Lent;

/// Bytes of a response that are handed to a stream at once.
const PIECE: usize = 16 << 10;

/// After so long without a request, a connection gives h2 back.
const STILL: Duration = Duration::from_secs(1);

/// Serves to the end of the connection.
pub(super) async fn serve<S: Respond, T>(socket: T, first: Bytes, at: &At<S>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let look = Look::Frames(Box::new(Frames::new(&at.door.bounds)));
    let mut watched = Watched::new(socket, first, Arc::clone(&at.activity), look);
    loop {
        let Some(mut resting) = Box::pin(converse(watched, at)).await else {
            return;
        };
        let Some(first) = idle::until_next(&mut resting, at).await else {
            return;
        };
        resting.take_over(first);
        watched = resting;
    }
}

/// Serves until the connection is at rest, or to its end, where there is none any more.
async fn converse<S: Respond, T>(watched: Watched<T>, at: &At<S>) -> Option<Watched<T>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let bounds = &at.door.bounds;
    let activity = &at.activity;
    let lent = Lent::new(watched);
    let (door, shared, numbers) = (
        Arc::clone(&at.door),
        Arc::clone(activity),
        AtomicU64::new(0),
    );
    let service = service_fn(move |request| {
        let (taken, shared) = (
            connection::take(&door, &shared, request),
            Arc::clone(&shared),
        );
        let (door, number) = (Arc::clone(&door), numbers.fetch_add(1, Ordering::Relaxed));
        async move {
            let mut response = connection::answer(&door, taken).await;
            forwarding::detach(response.headers_mut());
            Ok::<_, Infallible>(response.map(|body| Leaving::new(body, number, PIECE, shared)))
        }
    });
    let builder = builder(bounds);
    let mut connection = builder.serve_connection(TokioIo::new(lent.share()), service);
    let mut stop = at.door.drain.stop();
    let mut stop = pin!(stop.begun());
    let mut stopping = false;
    let mut leaving = false;
    let mut look = pin!(tokio::time::sleep(connection::between_looks(bounds)));
    let may_rest = |socket: &Watched<T>| socket.may_rest(bounds.http2_connection_window);
    let goes_on = poll_fn(|cx| {
        loop {
            if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
                if let Err(error) = ended {
                    tracing::debug!("connection: {}", ouli_message::error_chain::chain(&error));
                }
                return Poll::Ready(false);
            }
            stopping = stopping || stop.as_mut().poll(cx).is_ready();
            let is_new = lent.see(Watched::is_beginning);
            if (stopping || activity.is_ending()) && !leaving && !is_new {
                leaving = true;
                Pin::new(&mut connection).graceful_shutdown();
                continue;
            }
            ready!(look.as_mut().poll(cx));
            look.as_mut()
                .reset(Instant::now() + connection::between_looks(bounds));
            match activity.expired(bounds) {
                None if !leaving && is_still(activity) && lent.see(may_rest) => {
                    return Poll::Ready(true);
                }
                None => {}
                // The client is told, and has until the next look.
                Some("idle_timeout") if !leaving && !activity.is_ending() => activity.end(),
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
    lent.back()
}

/// A body that nobody read is no matter: frames tell where the next one begins.
fn is_still(activity: &Activity) -> bool {
    activity.is_quiet() && activity.idle() >= STILL
}

fn builder(bounds: &Bounds) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .auto_date_header(false)
        // WebSocket over HTTP/2 (RFC 8441, section 3).
        .enable_connect_protocol()
        .max_concurrent_streams(bounds.http2_streams)
        .initial_stream_window_size(bounds.http2_stream_window)
        .initial_connection_window_size(bounds.http2_connection_window)
        .max_frame_size(bounds.http2_frame)
        .max_header_list_size(bounds.http2_header_list)
        .header_table_size(bounds.http2_header_table)
        .max_send_buf_size(bounds.http2_send_buffer)
        .max_pending_accept_reset_streams(bounds.http2_resets)
        .max_local_error_reset_streams(bounds.http2_own_resets)
        .keep_alive_interval(bounds.http2_ping_interval)
        .keep_alive_timeout(bounds.http2_ping_timeout);
    builder
}
