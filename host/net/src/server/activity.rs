//! What one connection has been doing, and since when: what its limits look at.
//!
//! hyper's own timer covers idleness and slow heads with one value and costs an allocation per
//! request; these are a few stores.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::connection_limiter::Slot;
use super::request_body::Verdict;
use super::reset_on_close::Breaker;
use super::{Bounds, Refusal};

/// Shared by a connection's socket, its requests and its task.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    /// Requests at work.
    requests: AtomicUsize,
    /// Requests so far.
    served: AtomicUsize,
    /// When a request last ended, or bytes were last taken while none was at work.
    idle_since: AtomicU64,
    /// When the first byte of a head came; [`NEVER`] while none is on its way.
    head_since: AtomicU64,
    /// When the client last took bytes, while some wait for it; [`NEVER`] while none do.
    unsent_since: AtomicU64,
    /// The body of a request was left unread, or the socket was closed for writing: the place in
    /// the stream of bytes is not known.
    lost: AtomicBool,
    /// No more requests are to be taken.
    ending: AtomicBool,
    /// The head that came last is none.
    fault: AtomicBool,
    /// It is a tunnel now.
    switched: AtomicBool,
    /// Responses whose next bytes wait for a window of HTTP/2, and since when each does.
    stalled: Mutex<Vec<(u64, u64)>>,
    /// The connection's slot. It is free again once the connection has ended and so has every
    /// request, since a tunnel outlives the connection that it was asked for on.
    _slot: Slot,
    breaker: Arc<Breaker>,
}

/// No time; all others are milliseconds since the connection was opened.
const NEVER: u64 = u64::MAX;

/// A request at work. The connection is not idle while it lives.
#[derive(Debug)]
pub struct Busy {
    activity: Arc<Activity>,
    /// On the body of the request, where it has one.
    verdict: Option<Verdict>,
}

impl Activity {
    pub(super) fn new(slot: Slot, breaker: Arc<Breaker>) -> Arc<Self> {
        Self::opened_at(slot, breaker, Instant::now())
    }

    fn opened_at(slot: Slot, breaker: Arc<Breaker>, opened: Instant) -> Arc<Self> {
        Arc::new(Self {
            opened,
            requests: AtomicUsize::new(0),
            served: AtomicUsize::new(0),
            idle_since: AtomicU64::new(0),
            head_since: AtomicU64::new(NEVER),
            unsent_since: AtomicU64::new(NEVER),
            lost: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            fault: AtomicBool::new(false),
            switched: AtomicBool::new(false),
            stalled: Mutex::new(Vec::new()),
            _slot: slot,
            breaker,
        })
    }

    /// Takes a request up.
    pub(super) fn begin(self: &Arc<Self>, bounds: &Bounds, verdict: Option<Verdict>) -> Busy {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.head_since.store(NEVER, Ordering::Relaxed);
        let served = self.served.fetch_add(1, Ordering::Relaxed) + 1;
        if served >= bounds.connection_requests || self.opened.elapsed() >= bounds.connection_age {
            self.end();
        }
        let activity = Arc::clone(self);
        Busy { activity, verdict }
    }

    /// No more requests are to be taken after those at work.
    pub(super) fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    pub(super) fn has_served(&self) -> bool {
        self.served.load(Ordering::Relaxed) > 0
    }

    /// The head that came last is none; nothing after it is looked at.
    pub(super) fn find_fault(&self) {
        self.fault.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_fault(&self) -> bool {
        self.fault.load(Ordering::Relaxed)
    }

    /// True where the head that came last is none, and all requests before it are answered.
    pub(super) fn is_fault_due(&self) -> bool {
        self.has_fault() && self.requests.load(Ordering::Relaxed) == 0 && self.has_sent_all()
    }

    /// From here on the connection is a tunnel.
    pub(super) fn switch(&self) {
        self.switched.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_switched(&self) -> bool {
        self.switched.load(Ordering::Relaxed)
    }

    /// The place in the stream of bytes is not known any more.
    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// True where neither side owes the other anything, so that the next byte begins a head.
    pub(super) fn is_at_rest(&self) -> bool {
        self.is_quiet() && !self.lost.load(Ordering::Relaxed)
    }

    /// True where no request is at work or on its way, and no byte of a response.
    pub(super) fn is_quiet(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0
            && self.head_since.load(Ordering::Relaxed) == NEVER
            && self.has_sent_all()
    }

    /// For how long there was no request.
    pub(super) fn idle(&self) -> Duration {
        self.since(self.idle_since.load(Ordering::Relaxed))
    }

    /// How long ago the head that is on its way began.
    pub(super) fn head(&self) -> Duration {
        self.since(self.head_since.load(Ordering::Relaxed))
    }

    /// Which limit of time is over.
    pub(super) fn expired(&self, bounds: &Bounds) -> Option<&'static str> {
        let over = |since: &AtomicU64, limit: Duration| {
            let since = since.load(Ordering::Relaxed);
            since != NEVER && self.since(since) >= limit
        };
        if over(&self.unsent_since, bounds.response_idle_timeout)
            || self.is_stalled(bounds.response_idle_timeout)
        {
            return Some("response_idle_timeout");
        }
        if self.requests.load(Ordering::Relaxed) > 0 {
            return None;
        }
        if over(&self.head_since, bounds.header_timeout) {
            return Some("header_timeout");
        }
        // Who is still to take bytes has `response_idle_timeout` for it.
        let idle = self.head_since.load(Ordering::Relaxed) == NEVER && self.has_sent_all();
        (idle && over(&self.idle_since, bounds.idle_timeout)).then_some("idle_timeout")
    }

    /// Bytes came. While no request is at work, they begin a head.
    pub(super) fn received(&self) {
        let waiting = self.requests.load(Ordering::Relaxed) == 0;
        if waiting && self.head_since.load(Ordering::Relaxed) == NEVER {
            self.head_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// The bytes that came are no part of a head, or the last part of one.
    pub(super) fn no_head(&self) {
        self.head_since.store(NEVER, Ordering::Relaxed);
    }

    /// The client took bytes; some more may wait. Where they are of a `response`, it is not idle.
    pub(super) fn sent(&self, response: bool) {
        let now = self.now();
        self.unsent_since.store(now, Ordering::Relaxed);
        if response && self.requests.load(Ordering::Relaxed) == 0 {
            self.idle_since.store(now, Ordering::Relaxed);
        }
    }

    /// The client takes no more bytes now.
    pub(super) fn blocked(&self) {
        if self.unsent_since.load(Ordering::Relaxed) == NEVER {
            self.unsent_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// All bytes are sent.
    pub(super) fn flushed(&self) {
        self.unsent_since.store(NEVER, Ordering::Relaxed);
    }

    pub(super) fn has_sent_all(&self) -> bool {
        self.unsent_since.load(Ordering::Relaxed) == NEVER
    }

    /// A response waits for a window from now on.
    pub(super) fn stall(&self, response: u64) {
        let now = self.now();
        self.stalls().push((response, now));
    }

    /// A response waits for nothing.
    pub(super) fn move_on(&self, response: u64) {
        self.stalls().retain(|(one, _)| *one != response);
    }

    fn is_stalled(&self, limit: Duration) -> bool {
        let stalls = self.stalls();
        stalls.iter().any(|(_, since)| self.since(*since) >= limit)
    }

    fn stalls(&self) -> MutexGuard<'_, Vec<(u64, u64)>> {
        self.stalled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn since(&self, then: u64) -> Duration {
        Duration::from_millis(self.now().saturating_sub(then))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(NEVER - 1)
    }
}

impl Busy {
    /// The connection ends with a reset. Of use on HTTP/1.1, where a response ends it.
    pub fn reset_at_end(&self) {
        self.activity.breaker.ask();
    }

    /// Why there is no answer where the client did not send the body in time, whatever else its
    /// absence led to.
    pub fn refusal(&self) -> Option<Refusal> {
        self.verdict.as_ref()?.refusal()
    }
}

impl Clone for Busy {
    fn clone(&self) -> Self {
        self.activity.requests.fetch_add(1, Ordering::Relaxed);
        Self {
            activity: Arc::clone(&self.activity),
            verdict: self.verdict.clone(),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let now = self.activity.now();
        self.activity.idle_since.store(now, Ordering::Relaxed);
        self.activity.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::server::connection_limiter::{Places, Slots};
    use ouli_config::Limits;

    fn slots() -> (Slots, Slot) {
        let limits = Limits {
            connections: 1,
            ..Limits::default()
        };
        let slots = Places::new(&limits);
        let slot = slots.take(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        (slots, slot)
    }

    fn bounds(limit: Duration) -> Bounds {
        Bounds {
            header_timeout: limit,
            idle_timeout: limit,
            response_idle_timeout: limit,
            ..Bounds::from(&Limits::default())
        }
    }

    #[test]
    fn a_slot_is_free_once_the_last_request_has_ended() {
        let (slots, slot) = slots();
        let activity = Activity::new(slot, Arc::default());
        let busy = activity.begin(&bounds(Duration::MAX), None);
        let tunnel = busy.clone();
        drop(activity);
        drop(busy);
        assert_eq!(slots.open(), 1);
        drop(tunnel);
        assert_eq!(slots.open(), 0);
    }

    /// A connection that was opened a while ago, so that its times can be set back.
    fn activity(slot: Slot) -> Arc<Activity> {
        let activity = Activity::opened_at(
            slot,
            Arc::default(),
            Instant::now() - Duration::from_secs(3600),
        );
        activity.idle_since.store(activity.now(), Ordering::Relaxed);
        activity
    }

    /// Time passes.
    fn pass(activity: &Activity, time: Duration) {
        let time = u64::try_from(time.as_millis()).unwrap();
        let Activity {
            idle_since,
            head_since,
            unsent_since,
            ..
        } = activity;
        for since in [idle_since, head_since, unsent_since] {
            let then = since.load(Ordering::Relaxed);
            if then != NEVER {
                since.store(then - time, Ordering::Relaxed);
            }
        }
        let mut stalls = activity.stalls();
        stalls.iter_mut().for_each(|(_, since)| *since -= time);
    }

    #[test]
    fn each_limit_looks_at_its_own_phase() {
        let (_slots, slot) = slots();
        let activity = activity(slot);
        let bounds = bounds(Duration::from_secs(60));
        let expired = || activity.expired(&bounds);
        let pass = || pass(&activity, Duration::from_secs(61));
        assert_eq!(expired(), None);
        pass();
        assert_eq!(expired(), Some("idle_timeout"));
        activity.received();
        assert_eq!(expired(), None);
        pass();
        assert_eq!(expired(), Some("header_timeout"));
        let busy = activity.begin(&bounds, None);
        pass();
        assert_eq!(expired(), None);
        activity.sent(true);
        pass();
        assert_eq!(expired(), Some("response_idle_timeout"));
        activity.flushed();
        activity.stall(7);
        assert_eq!(expired(), None);
        pass();
        assert_eq!(expired(), Some("response_idle_timeout"));
        activity.move_on(7);
        drop(busy);
        assert_eq!(expired(), None);
    }

    #[test]
    fn a_client_that_still_takes_bytes_is_not_idle() {
        let (_slots, slot) = slots();
        let activity = activity(slot);
        let bounds = bounds(Duration::from_secs(60));
        drop(activity.begin(&bounds, None));
        for _ in 0..5 {
            pass(&activity, Duration::from_secs(40));
            activity.sent(true);
            assert_eq!(activity.expired(&bounds), None);
        }
        activity.flushed();
        assert_eq!(activity.expired(&bounds), None);
    }
}
