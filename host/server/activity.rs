//! How long a connection has been idle, or has been sending one head: what the time limits look at.
//!
//! hyper's own timer covers both with one value and costs an allocation per request; these are a
//! few stores.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

use super::breaker::Breaker;
use super::strict::Lines;

/// Shared by a connection's socket, its requests and its task.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    requests: AtomicUsize,
    /// Milliseconds from `opened` to the end of the last request.
    idle_since: AtomicU64,
    /// Milliseconds from `opened` to the first byte of a head, plus one; 0 while none is on its
    /// way.
    head_since: AtomicU64,
    /// A request came by HTTP/2.
    http2: AtomicBool,
    /// Milliseconds from `opened` to the begin of a stop, plus one; 0 while there is none.
    stopping_since: AtomicU64,
    /// It is a tunnel now.
    switched: AtomicBool,
    /// The connection's slot. It is free again once the connection has ended and so has every
    /// request, since a tunnel outlives the connection that it was asked for on.
    _slot: OwnedSemaphorePermit,
    breaker: Arc<Breaker>,
}

/// A request at work. The connection is not idle while it lives.
#[derive(Debug)]
pub struct Busy(Arc<Activity>);

impl Activity {
    pub(super) fn new(slot: OwnedSemaphorePermit, breaker: Arc<Breaker>) -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            requests: AtomicUsize::new(0),
            idle_since: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            http2: AtomicBool::new(false),
            stopping_since: AtomicU64::new(0),
            switched: AtomicBool::new(false),
            _slot: slot,
            breaker,
        })
    }

    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    /// From here on the connection is a tunnel.
    pub(super) fn switch(&self) {
        self.switched.store(true, Ordering::Relaxed);
    }

    /// True where the connection is idle, or busy with one head, for too long.
    pub(super) fn expired(&self, head: Duration, idle: Duration) -> bool {
        if self.requests.load(Ordering::Relaxed) > 0 {
            return false;
        }
        let now = self.now();
        let passed = |since: u64| Duration::from_millis(now.saturating_sub(since));
        match self.head_since.load(Ordering::Relaxed) {
            0 => passed(self.idle_since.load(Ordering::Relaxed)) >= idle,
            since => passed(since - 1) >= head,
        }
    }

    /// True where nothing was asked, and nothing of a request came, for so long since a stop has
    /// begun.
    pub(super) fn is_quiet_for(&self, time: Duration) -> bool {
        let stopping = self.stopping_since.load(Ordering::Relaxed);
        let asked = self.requests.load(Ordering::Relaxed) > 0
            || self.head_since.load(Ordering::Relaxed) > 0;
        if asked || stopping == 0 {
            return false;
        }
        let since = self.idle_since.load(Ordering::Relaxed).max(stopping - 1);
        Duration::from_millis(self.now().saturating_sub(since)) >= time
    }

    /// Notes that a request came by HTTP/2, where several go on at once.
    pub(super) fn speaks_http2(&self) {
        if !self.is_http2() {
            self.http2.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn is_http2(&self) -> bool {
        self.http2.load(Ordering::Relaxed)
    }

    pub(super) fn begin_stop(&self) {
        self.stopping_since.store(self.now() + 1, Ordering::Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping_since.load(Ordering::Relaxed) > 0
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn received(&self) {
        let waiting = self.requests.load(Ordering::Relaxed) == 0;
        if waiting && self.head_since.load(Ordering::Relaxed) == 0 {
            self.head_since.store(self.now() + 1, Ordering::Relaxed);
        }
    }
}

impl Busy {
    /// The connection ends with a reset. Of use on HTTP/1.1, where a response ends it.
    pub fn reset_at_end(&self) {
        self.0.breaker.ask();
    }
}

impl Clone for Busy {
    fn clone(&self) -> Self {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let now = self.0.now();
        self.0.idle_since.store(now, Ordering::Relaxed);
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A socket that notes when bytes arrive.
pub(super) struct Watched<S> {
    socket: S,
    activity: Arc<Activity>,
    lines: Lines,
}

impl<S> Watched<S> {
    pub(super) fn new(socket: S, activity: Arc<Activity>) -> Self {
        Self {
            socket,
            activity,
            lines: Lines::new(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.lines.refuse(target) {
            return Poll::Ready(Ok(()));
        }
        let before = target.filled().len();
        let result = Pin::new(&mut self.socket).poll_read(cx, target);
        if target.filled().len() > before {
            self.activity.received();
            if self.activity.switched.load(Ordering::Relaxed) {
                self.lines.end();
            }
            if let Err(sound) = self.lines.see(&target.filled()[before..]) {
                target.set_filled(before + sound);
                self.lines.refuse(target);
            }
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, buffers)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    fn slots() -> (Arc<Semaphore>, OwnedSemaphorePermit) {
        let slots = Arc::new(Semaphore::new(1));
        let slot = Arc::clone(&slots).try_acquire_owned().unwrap();
        (slots, slot)
    }

    #[test]
    fn a_slot_is_free_once_the_last_request_has_ended() {
        let (slots, slot) = slots();
        let activity = Activity::new(slot, Arc::default());
        let busy = activity.begin();
        let tunnel = busy.clone();
        drop(activity);
        drop(busy);
        assert_eq!(slots.available_permits(), 0);
        drop(tunnel);
        assert_eq!(slots.available_permits(), 1);
    }

    #[test]
    fn a_connection_is_quiet_from_the_begin_of_a_stop_on() {
        let (_slots, slot) = slots();
        let activity = Activity::new(slot, Arc::default());
        let (now, later) = (Duration::ZERO, Duration::from_secs(60));
        assert!(!activity.is_quiet_for(now));
        activity.begin_stop();
        assert!(activity.is_quiet_for(now));
        assert!(!activity.is_quiet_for(later));
        let busy = activity.begin();
        assert!(!activity.is_quiet_for(now));
        drop(busy);
        assert!(activity.is_quiet_for(now));
        activity.received();
        assert!(!activity.is_quiet_for(now), "a head is on its way");
    }

    #[test]
    fn only_an_idle_connection_expires() {
        let (_slots, slot) = slots();
        let activity = Activity::new(slot, Arc::default());
        let (now, later) = (Duration::ZERO, Duration::from_secs(60));
        assert!(activity.expired(later, now));
        assert!(!activity.expired(now, later));
        let busy = activity.begin();
        assert!(!activity.expired(now, now));
        drop(busy);
        activity.received();
        assert!(activity.expired(now, later));
    }
}
