//! HTTP/2 on a connection, from its preface to its end.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, ready};

use bytes::Bytes;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::Bounds;
use super::connection::{self, At, Respond};
use super::frames::Frames;
use super::leaving::Leaving;
use super::watched::{Look, Watched};

/// Bytes of a response that are handed to a stream at once.
const PIECE: usize = 16 << 10;

/// Serves to the end of the connection.
pub(super) async fn serve<S: Respond, T>(socket: T, first: Bytes, at: &At<S>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let bounds = &at.door.bounds;
    let activity = &at.activity;
    let look = Look::Frames(Box::new(Frames::new(bounds)));
    let watched = Watched::new(socket, first, Arc::clone(activity), look);
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
            let response = connection::answer(&door, taken).await;
            Ok::<_, Infallible>(response.map(|body| Leaving::new(body, number, PIECE, shared)))
        }
    });
    let builder = builder(bounds);
    let mut connection = builder.serve_connection(TokioIo::new(watched), service);
    let mut stop = at.door.drain.stop();
    let mut stop = pin!(stop.begun());
    let mut stopping = false;
    let mut leaving = false;
    let mut look = pin!(tokio::time::sleep(connection::between_looks(bounds)));
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
                if let Err(error) = ended {
                    tracing::debug!("connection: {}", crate::fault::chain(&error));
                }
                return Poll::Ready(());
            }
            stopping = stopping || stop.as_mut().poll(cx).is_ready();
            if (stopping || activity.is_ending()) && !leaving {
                leaving = true;
                Pin::new(&mut connection).graceful_shutdown();
                continue;
            }
            ready!(look.as_mut().poll(cx));
            look.as_mut()
                .reset(Instant::now() + connection::between_looks(bounds));
            match activity.expired(bounds) {
                None => {}
                // The client is told, and has until the next look.
                Some("idle_timeout") if !leaving => activity.end(),
                Some(key) => {
                    tracing::debug!("connection: closed by limits.{key}");
                    return Poll::Ready(());
                }
            }
        }
    })
    .await;
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
        .max_send_buf_size(bounds.http2_send_buffer)
        .max_pending_accept_reset_streams(bounds.http2_resets)
        .max_local_error_reset_streams(bounds.http2_own_resets)
        .keep_alive_interval(bounds.http2_ping_interval)
        .keep_alive_timeout(bounds.http2_ping_timeout);
    builder
}
