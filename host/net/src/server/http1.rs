//! HTTP/1.1 on a connection, from the first bytes of a head until the connection is at rest again.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONNECTION;
use http::{HeaderValue, Response, StatusCode};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::Bounds;
use super::activity::Activity;
use super::connection::{self, ConnectionContext, HttpService};
use super::http1_validator::Http1Validator;
use super::inspected_io::{InspectedIo, Inspector};

/// After so long without a request, a connection gives its buffers back.
const IDLE_RELEASE_DELAY: Duration = Duration::from_secs(1);

/// What became of a connection.
pub(super) enum Outcome<T> {
    /// It is at rest: the socket, with what was read of it.
    Idle(T, Bytes),
    /// What came last is no request.
    InvalidRequest(T),
    /// It is over.
    Closed,
}

/// Serves until the connection is at rest, or to its end.
pub(super) async fn serve<S: HttpService, T>(
    socket: T,
    first: Bytes,
    at: &ConnectionContext<S>,
) -> Outcome<T>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let bounds = &at.listener.bounds;
    let activity = &at.activity;
    let look = Inspector::Http1(Http1Validator::new());
    let watched = InspectedIo::new(socket, first, Arc::clone(activity), look);
    let (door, shared) = (Arc::clone(&at.listener), Arc::clone(activity));
    let service = service_fn(move |request| {
        let (taken, shared) = (
            connection::admit_request(&door, &shared, request),
            Arc::clone(&shared),
        );
        let door = Arc::clone(&door);
        async move {
            let response = connection::handle(&door, taken).await;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                shared.mark_upgraded();
            }
            Ok::<_, Infallible>(add_connection_close(&shared, response))
        }
    });
    let builder = builder(bounds);
    let mut connection = builder
        .serve_connection(TokioIo::new(watched), service)
        .with_upgrades();
    let mut stop = at.listener.drain.signal();
    let mut stop = pin!(stop.draining());
    let mut stopping = false;
    let mut look = pin!(tokio::time::sleep(connection::timeout_check_interval(
        bounds
    )));
    let goes_on = poll_fn(|cx| {
        loop {
            if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
                if let Err(error) = ended {
                    tracing::debug!("connection: {error}");
                }
                return Poll::Ready(false);
            }
            stopping = stopping || stop.as_mut().poll(cx).is_ready();
            if stopping {
                activity.start_draining();
            }
            let rests =
                activity.is_idle() && (stopping || activity.idle_time() >= IDLE_RELEASE_DELAY);
            if rests || activity.is_rejection_due() {
                return Poll::Ready(true);
            }
            ready!(look.as_mut().poll(cx));
            if let Some(key) = activity.expired_timeout(bounds) {
                tracing::debug!("connection: closed by limits.{key}");
                return Poll::Ready(false);
            }
            look.as_mut()
                .reset(Instant::now() + connection::timeout_check_interval(bounds));
        }
    });
    if !goes_on.await {
        return Outcome::Closed;
    }
    let Some(parts) = connection.into_parts() else {
        return Outcome::Closed;
    };
    let (socket, unread) = parts.io.into_inner().into_parts();
    match activity.has_invalid_head() {
        true => Outcome::InvalidRequest(socket),
        false => Outcome::Idle(socket, concat(parts.read_buf, &unread)),
    }
}

fn concat(first: Bytes, rest: &[u8]) -> Bytes {
    if rest.is_empty() {
        return first;
    }
    let mut both = BytesMut::from(&first[..]);
    both.extend_from_slice(rest);
    both.freeze()
}

/// The response, which says so where the connection ends with it. One that agrees to a tunnel ends
/// it anyway.
fn add_connection_close<B>(activity: &Activity, mut response: Response<B>) -> Response<B> {
    if activity.is_draining() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

/// The fields that hyper takes by itself.
const HYPER_DEFAULT_MAX_HEADERS: usize = 100;

fn builder(bounds: &Bounds) -> Builder {
    let mut builder = Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        // Replay adds nothing that was not recorded, and no clock is read for it.
        .auto_date_header(false)
        .max_buf_size(bounds.header_bytes.max(8192));
    if bounds.header_count != HYPER_DEFAULT_MAX_HEADERS {
        // Any other number costs an allocation per request.
        builder.max_headers(bounds.header_count);
    }
    builder
}
