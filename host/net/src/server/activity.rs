//! What one connection has been doing, and since when: what its limits look at.
//!
//! hyper's own timer covers idleness and slow heads with one value and costs an allocation per
//! request; these are a few stores.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::connection_limiter::ConnectionPermit;
use super::request_body::BodyErrorFlag;
use super::reset_on_close::ResetOnClose;
use super::{Bounds, Rejection};

/// Shared by a connection's socket, its requests and its task.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    /// Requests at work.
    active_requests: AtomicUsize,
    /// Requests so far.
    total_requests: AtomicUsize,
    /// When a request last ended, or bytes were last taken while none was at work.
    idle_since: AtomicU64,
    /// When the first byte of a head came; [`UNSET`] while none is on its way.
    head_since: AtomicU64,
    /// When the client last took bytes, while some wait for it; [`UNSET`] while none do.
    write_blocked_since: AtomicU64,
    /// The body of a request was left unread, or the socket was closed for writing: the place in
    /// the stream of bytes is not known.
    desynchronized: AtomicBool,
    /// No more requests are to be taken.
    draining: AtomicBool,
    /// The head that came last is none.
    invalid_head: AtomicBool,
    /// It is a tunnel now.
    upgraded: AtomicBool,
    /// Responses whose next bytes wait for a window of HTTP/2, and since when each does.
    stalled: Mutex<Vec<(u64, u64)>>,
    /// The connection's slot. It is free again once the connection has ended and so has every
    /// request, since a tunnel outlives the connection that it was asked for on.
    permit: ConnectionPermit,
    reset_on_close: Arc<ResetOnClose>,
}

/// No time; all others are milliseconds since the connection was opened.
const UNSET: u64 = u64::MAX;

/// A request at work. The connection is not idle while it lives.
#[derive(Debug)]
pub struct RequestGuard {
    activity: Arc<Activity>,
    /// On the body of the request, where it has one.
    body_error: Option<BodyErrorFlag>,
}

impl Activity {
    pub(super) fn new(slot: ConnectionPermit, breaker: Arc<ResetOnClose>) -> Arc<Self> {
        Self::opened_at(slot, breaker, Instant::now())
    }

    fn opened_at(slot: ConnectionPermit, breaker: Arc<ResetOnClose>, opened: Instant) -> Arc<Self> {
        Arc::new(Self {
            opened,
            active_requests: AtomicUsize::new(0),
            total_requests: AtomicUsize::new(0),
            idle_since: AtomicU64::new(0),
            head_since: AtomicU64::new(UNSET),
            write_blocked_since: AtomicU64::new(UNSET),
            desynchronized: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            invalid_head: AtomicBool::new(false),
            upgraded: AtomicBool::new(false),
            stalled: Mutex::new(Vec::new()),
            permit: slot,
            reset_on_close: breaker,
        })
    }

    /// Takes a request up.
    pub(super) fn begin_request(
        self: &Arc<Self>,
        bounds: &Bounds,
        verdict: Option<BodyErrorFlag>,
    ) -> RequestGuard {
        self.active_requests.fetch_add(1, Ordering::Relaxed);
        self.head_since.store(UNSET, Ordering::Relaxed);
        let served = self.total_requests.fetch_add(1, Ordering::Relaxed) + 1;
        if served >= bounds.max_requests_per_connection
            || self.opened.elapsed() >= bounds.max_connection_age
        {
            self.start_draining();
        }
        let activity = Arc::clone(self);
        RequestGuard {
            activity,
            body_error: verdict,
        }
    }

    /// No more requests are to be taken after those at work.
    pub(super) fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(super) fn has_had_requests(&self) -> bool {
        self.total_requests.load(Ordering::Relaxed) > 0
    }

    /// The head that came last is none; nothing after it is looked at.
    pub(super) fn mark_invalid_head(&self) {
        self.invalid_head.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_invalid_head(&self) -> bool {
        self.invalid_head.load(Ordering::Relaxed)
    }

    /// True where the head that came last is none, and all requests before it are answered.
    pub(super) fn is_rejection_due(&self) -> bool {
        self.has_invalid_head()
            && self.active_requests.load(Ordering::Relaxed) == 0
            && self.is_flushed()
    }

    /// From here on the connection is a tunnel.
    pub(super) fn mark_upgraded(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Relaxed)
    }

    /// The place in the stream of bytes is not known any more.
    pub(super) fn mark_desynchronized(&self) {
        self.desynchronized.store(true, Ordering::Relaxed);
    }

    /// True where neither side owes the other anything, so that the next byte begins a head.
    pub(super) fn is_idle(&self) -> bool {
        self.is_quiescent() && !self.desynchronized.load(Ordering::Relaxed)
    }

    /// True where no request is at work or on its way, and no byte of a response.
    pub(super) fn is_quiescent(&self) -> bool {
        self.active_requests.load(Ordering::Relaxed) == 0
            && self.head_since.load(Ordering::Relaxed) == UNSET
            && self.is_flushed()
    }

    /// For how long there was no request.
    pub(super) fn idle_time(&self) -> Duration {
        self.elapsed_since(self.idle_since.load(Ordering::Relaxed))
    }

    /// How long ago the head that is on its way began.
    pub(super) fn head_elapsed(&self) -> Duration {
        self.elapsed_since(self.head_since.load(Ordering::Relaxed))
    }

    /// Which limit of time is over.
    pub(super) fn expired_timeout(&self, bounds: &Bounds) -> Option<&'static str> {
        let over = |since: &AtomicU64, limit: Duration| {
            let since = since.load(Ordering::Relaxed);
            since != UNSET && self.elapsed_since(since) >= limit
        };
        if over(&self.write_blocked_since, bounds.response_send_timeout)
            || self.is_stalled(bounds.response_send_timeout)
        {
            return Some("response_send_timeout");
        }
        if self.active_requests.load(Ordering::Relaxed) > 0 {
            return None;
        }
        if over(&self.head_since, bounds.request_header_timeout) {
            return Some("request_header_timeout");
        }
        // Who is still to take bytes has `response_idle_timeout` for it.
        let idle = self.head_since.load(Ordering::Relaxed) == UNSET && self.is_flushed();
        (idle && over(&self.idle_since, bounds.idle_timeout)).then_some("idle_timeout")
    }

    /// Bytes came. While no request is at work, they begin a head.
    pub(super) fn on_read(&self) {
        let waiting = self.active_requests.load(Ordering::Relaxed) == 0;
        if waiting && self.head_since.load(Ordering::Relaxed) == UNSET {
            self.head_since.store(self.now_millis(), Ordering::Relaxed);
        }
    }

    /// The bytes that came are no part of a head, or the last part of one.
    pub(super) fn clear_head_timer(&self) {
        self.head_since.store(UNSET, Ordering::Relaxed);
    }

    /// The client took bytes; some more may wait. Where they are of a `response`, it is not idle.
    pub(super) fn on_write(&self, response: bool) {
        let now = self.now_millis();
        self.write_blocked_since.store(now, Ordering::Relaxed);
        if response && self.active_requests.load(Ordering::Relaxed) == 0 {
            self.idle_since.store(now, Ordering::Relaxed);
        }
    }

    /// The client takes no more bytes now.
    pub(super) fn on_write_blocked(&self) {
        if self.write_blocked_since.load(Ordering::Relaxed) == UNSET {
            self.write_blocked_since
                .store(self.now_millis(), Ordering::Relaxed);
        }
    }

    /// All bytes are sent.
    pub(super) fn on_flushed(&self) {
        self.write_blocked_since.store(UNSET, Ordering::Relaxed);
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.write_blocked_since.load(Ordering::Relaxed) == UNSET
    }

    /// A response waits for a window from now on.
    pub(super) fn stall(&self, response: u64) {
        let now = self.now_millis();
        self.lock_stalled().push((response, now));
    }

    /// A response waits for nothing.
    pub(super) fn unstall(&self, response: u64) {
        self.lock_stalled().retain(|(one, _)| *one != response);
    }

    fn is_stalled(&self, limit: Duration) -> bool {
        let stalls = self.lock_stalled();
        stalls
            .iter()
            .any(|(_, since)| self.elapsed_since(*since) >= limit)
    }

    fn lock_stalled(&self) -> MutexGuard<'_, Vec<(u64, u64)>> {
        self.stalled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elapsed_since(&self, then: u64) -> Duration {
        Duration::from_millis(self.now_millis().saturating_sub(then))
    }

    fn now_millis(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(UNSET - 1)
    }
}

impl RequestGuard {
    /// The address of the client.
    pub fn peer(&self) -> IpAddr {
        self.activity.permit.source()
    }

    /// The connection ends with a reset. Of use on HTTP/1.1, where a response ends it.
    pub fn reset_on_close(&self) {
        self.activity.reset_on_close.request();
    }

    /// Why there is no answer where the client did not send the body in time, whatever else its
    /// absence led to.
    pub fn rejection(&self) -> Option<Rejection> {
        self.body_error.as_ref()?.rejection()
    }
}

impl Clone for RequestGuard {
    fn clone(&self) -> Self {
        self.activity
            .active_requests
            .fetch_add(1, Ordering::Relaxed);
        Self {
            activity: Arc::clone(&self.activity),
            body_error: self.body_error.clone(),
        }
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let now = self.activity.now_millis();
        self.activity.idle_since.store(now, Ordering::Relaxed);
        self.activity
            .active_requests
            .fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::server::connection_limiter::{ConnectionLimiter, SharedConnectionLimiter};
    use ouli_config::Limits;

    fn slots() -> (SharedConnectionLimiter, ConnectionPermit) {
        let limits = Limits {
            connections: 1,
            ..Limits::default()
        };
        let slots = ConnectionLimiter::new(&limits);
        let slot = slots.try_acquire(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        (slots, slot)
    }

    fn bounds(limit: Duration) -> Bounds {
        Bounds {
            request_header_timeout: limit,
            idle_timeout: limit,
            response_send_timeout: limit,
            ..Bounds::from(&Limits::default())
        }
    }

    #[test]
    fn a_slot_is_free_once_the_last_request_has_ended() {
        let (slots, slot) = slots();
        let activity = Activity::new(slot, Arc::default());
        let busy = activity.begin_request(&bounds(Duration::MAX), None);
        let tunnel = busy.clone();
        drop(activity);
        drop(busy);
        assert_eq!(slots.open_connections(), 1);
        drop(tunnel);
        assert_eq!(slots.open_connections(), 0);
    }

    /// A connection that was opened a while ago, so that its times can be set back.
    fn activity(slot: ConnectionPermit) -> Arc<Activity> {
        let activity = Activity::opened_at(
            slot,
            Arc::default(),
            Instant::now() - Duration::from_secs(3600),
        );
        activity
            .idle_since
            .store(activity.now_millis(), Ordering::Relaxed);
        activity
    }

    /// Time passes.
    fn pass(activity: &Activity, time: Duration) {
        let time = u64::try_from(time.as_millis()).unwrap();
        let Activity {
            idle_since,
            head_since,
            write_blocked_since: unsent_since,
            ..
        } = activity;
        for since in [idle_since, head_since, unsent_since] {
            let then = since.load(Ordering::Relaxed);
            if then != UNSET {
                since.store(then - time, Ordering::Relaxed);
            }
        }
        let mut stalls = activity.lock_stalled();
        stalls.iter_mut().for_each(|(_, since)| *since -= time);
    }

    #[test]
    fn each_limit_looks_at_its_own_phase() {
        let (_slots, slot) = slots();
        let activity = activity(slot);
        let bounds = bounds(Duration::from_secs(60));
        let expired = || activity.expired_timeout(&bounds);
        let pass = || pass(&activity, Duration::from_secs(61));
        assert_eq!(expired(), None);
        pass();
        assert_eq!(expired(), Some("idle_timeout"));
        activity.on_read();
        assert_eq!(expired(), None);
        pass();
        assert_eq!(expired(), Some("request_header_timeout"));
        let busy = activity.begin_request(&bounds, None);
        pass();
        assert_eq!(expired(), None);
        activity.on_write(true);
        pass();
        assert_eq!(expired(), Some("response_send_timeout"));
        activity.on_flushed();
        activity.stall(7);
        assert_eq!(expired(), None);
        pass();
        assert_eq!(expired(), Some("response_send_timeout"));
        activity.unstall(7);
        drop(busy);
        assert_eq!(expired(), None);
    }

    #[test]
    fn a_client_that_still_takes_bytes_is_not_idle() {
        let (_slots, slot) = slots();
        let activity = activity(slot);
        let bounds = bounds(Duration::from_secs(60));
        drop(activity.begin_request(&bounds, None));
        for _ in 0..5 {
            pass(&activity, Duration::from_secs(40));
            activity.on_write(true);
            assert_eq!(activity.expired_timeout(&bounds), None);
        }
        activity.on_flushed();
        assert_eq!(activity.expired_timeout(&bounds), None);
    }
}
