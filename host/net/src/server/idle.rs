//! An idle connection: a socket and a timer, without a buffer, until the first bytes of a head
//! arrive.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncRead;
use tokio::time::Instant;

use super::activity::Activity;
use super::context::ConnectionContext;
use super::frames::PREFACE;
use crate::shared_buffer;

/// Reads as many bytes of a head as tell HTTP/2 from HTTP/1.1. `unread` was read from the socket
/// before. `None` if the connection is to be closed.
pub(super) async fn read_first_bytes<S>(
    socket: &mut (impl AsyncRead + Unpin),
    unread: Bytes,
    connection: &ConnectionContext<S>,
) -> Option<Bytes> {
    if !unread.is_empty() {
        connection.activity.on_read();
    }
    if is_protocol_known(&unread, &connection.activity) {
        return Some(unread);
    }
    let mut bytes = BytesMut::from(&unread[..]);
    // However short, `unread` may keep a large buffer alive.
    drop(unread);
    let mut draining = connection.listener.drain.signal();
    let mut closing = draining.clone();
    let (mut draining, mut closing) = (pin!(draining.draining()), pin!(closing.closing()));
    let (mut draining_since, mut is_closing) = (None, false);
    let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
    poll_fn(|cx| {
        loop {
            match poll_read_into(socket, cx, &mut bytes) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(None),
                Poll::Ready(Ok(_)) => connection.activity.on_read(),
                Poll::Pending => break,
            }
            if is_protocol_known(&bytes, &connection.activity) {
                return Poll::Ready(Some(std::mem::take(&mut bytes).freeze()));
            }
        }
        if draining_since.is_none() && draining.as_mut().poll(cx).is_ready() {
            draining_since = Some(Instant::now());
            connection.activity.start_draining();
        }
        // Once the drain is closing, an idle connection is closed at once.
        is_closing = is_closing || closing.as_mut().poll(cx).is_ready();
        if is_closing && bytes.is_empty() {
            return Poll::Ready(None);
        }
        loop {
            let remaining = remaining_time(connection, !bytes.is_empty(), draining_since);
            if remaining.is_zero() {
                return Poll::Ready(None);
            }
            // The timer is reset only where the deadline moves forward: when a stop begins, or
            // while a head is incomplete. A timer that is due has fired; without a new deadline it
            // would fire forever while the clock is paused.
            let deadline = Instant::now() + remaining;
            if timer.deadline() <= Instant::now() || deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
            ready!(timer.as_mut().poll(cx));
        }
    })
    .await
}

/// How long the connection may still wait for bytes.
fn remaining_time<S>(
    connection: &ConnectionContext<S>,
    has_begun: bool,
    draining_since: Option<Instant>,
) -> Duration {
    let (bounds, activity) = (&connection.listener.bounds, &connection.activity);
    if has_begun {
        return bounds
            .request_header_timeout
            .saturating_sub(activity.head_elapsed());
    }
    let idle = activity.idle_time();
    let remaining = bounds.idle_timeout.saturating_sub(idle);
    match draining_since {
        None => remaining,
        // A client that does not know of the stop may already have sent a request.
        Some(since) => remaining.min(
            bounds
                .keepalive_drain_timeout
                .saturating_sub(idle.min(since.elapsed())),
        ),
    }
}

/// True if the bytes tell which protocol begins. Only the first bytes of a connection can begin
/// HTTP/2.
fn is_protocol_known(bytes: &[u8], activity: &Activity) -> bool {
    let is_preface_prefix = PREFACE.starts_with(bytes) && bytes.len() < PREFACE.len();
    !bytes.is_empty() && (activity.has_had_requests() || !is_preface_prefix)
}

fn poll_read_into(
    socket: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    bytes: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    shared_buffer::poll_read(socket, cx, |_, read| {
        bytes.extend_from_slice(read);
        read.len()
    })
}
