//! A connection at rest: a socket and a timer, and no buffer, until the first bytes of a head come.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncRead;
use tokio::time::Instant;

use super::activity::Activity;
use super::connection::ConnectionContext;
use super::frames::PREFACE;
use crate::shared_buffer;

/// The bytes that a head begins with, as many as tell HTTP/2 from HTTP/1.1. None where the
/// connection is to be closed.
pub(super) async fn read_first_bytes<S>(
    socket: &mut (impl AsyncRead + Unpin),
    first: Bytes,
    at: &ConnectionContext<S>,
) -> Option<Bytes> {
    if !first.is_empty() {
        at.activity.on_read();
    }
    if is_protocol_known(&first, &at.activity) {
        return Some(first);
    }
    let mut bytes = BytesMut::from(&first[..]);
    // However short, it may hold on to a large buffer.
    drop(first);
    let (mut stop, mut close) = (at.listener.drain.signal(), at.listener.drain.signal());
    let (mut stop, mut close) = (pin!(stop.draining()), pin!(close.closing()));
    let (mut stopping, mut closing) = (None, false);
    let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
    poll_fn(|cx| {
        loop {
            match poll_read_into(socket, cx, &mut bytes) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(None),
                Poll::Ready(Ok(_)) => at.activity.on_read(),
                Poll::Pending => break,
            }
            if is_protocol_known(&bytes, &at.activity) {
                return Poll::Ready(Some(std::mem::take(&mut bytes).freeze()));
            }
        }
        if stopping.is_none() && stop.as_mut().poll(cx).is_ready() {
            stopping = Some(Instant::now());
            at.activity.start_draining();
        }
        // There is no time to linger then.
        closing = closing || close.as_mut().poll(cx).is_ready();
        if closing && bytes.is_empty() {
            return Poll::Ready(None);
        }
        loop {
            let left = remaining_time(at, !bytes.is_empty(), stopping);
            if left.is_zero() {
                return Poll::Ready(None);
            }
            // It is set once, but where a stop begins or a head does not end. One that is due now
            // has fired, and without a new time it would do so for ever where the clock stands.
            let due = Instant::now() + left;
            if timer.deadline() <= Instant::now() || due < timer.deadline() {
                timer.as_mut().reset(due);
            }
            ready!(timer.as_mut().poll(cx));
        }
    })
    .await
}

/// How long the connection may still wait.
fn remaining_time<S>(
    at: &ConnectionContext<S>,
    begun: bool,
    stopping: Option<Instant>,
) -> Duration {
    let bounds = &at.listener.bounds;
    if begun {
        return bounds
            .request_header_timeout
            .saturating_sub(at.activity.head_elapsed());
    }
    let idle = at.activity.idle_time();
    let left = bounds.idle_timeout.saturating_sub(idle);
    match stopping {
        None => left,
        // A client that does not know of the stop may have sent a request already.
        Some(since) => left.min(
            bounds
                .keepalive_drain_timeout
                .saturating_sub(idle.min(since.elapsed())),
        ),
    }
}

/// True where it is known which protocol begins so. Only the first bytes of a connection may be
/// those of HTTP/2.
fn is_protocol_known(bytes: &[u8], activity: &Activity) -> bool {
    let undecided = PREFACE.starts_with(bytes) && bytes.len() < PREFACE.len();
    !bytes.is_empty() && (activity.has_had_requests() || !undecided)
}

fn poll_read_into(
    socket: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    bytes: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    shared_buffer::poll_read_shared(socket, cx, |read| {
        bytes.extend_from_slice(read);
        read.len()
    })
}
