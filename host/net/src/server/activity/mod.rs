//! What one connection is doing and since when. Its time limits are checked against this.
//!
//! hyper's own timer covers idle time and slow heads with one value and costs an allocation per
//! request; this costs a few atomic stores.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use super::bounds::Bounds;
use super::client_source::ClientSource;
use super::connection_limiter::ConnectionPermit;
use super::half_close::HalfClose;
use super::interim::InterimQueue;
use super::reset_on_close::ResetOnClose;
use super::stalled_responses::StalledResponses;
use super::trailer_slot::TrailerSlot;
use super::whole_server::OptionsTargets;
use crate::response_permit::ResponsePermits;
use crate::upstream::PinnedConnection;

/// Shared by a connection's socket, its requests and its task.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    active_requests: AtomicUsize,
    total_requests: AtomicUsize,
    /// When the last request ended, or when the client last read response bytes after it.
    idle_since: AtomicU64,
    /// When the first byte of a head arrived; [`UNSET`] while no head is being read.
    head_since: AtomicU64,
    /// When the client last read bytes, while more of them wait; [`UNSET`] while none wait.
    write_blocked_since: AtomicU64,
    /// A request body was left unread, or the socket was shut down for writing: the next byte is
    /// not known to begin a head.
    desynchronized: AtomicBool,
    /// The connection accepts no more requests.
    draining: AtomicBool,
    /// The last head is invalid.
    invalid_head: AtomicBool,
    /// The connection is a tunnel.
    upgraded: AtomicBool,
    stalled: StalledResponses,
    response_permits: ResponsePermits,
    half_close: HalfClose,
    interim: InterimQueue,
    trailer_slot: TrailerSlot,
    options_targets: OptionsTargets,
    /// Released once the connection and all its requests have ended: a tunnel outlives the
    /// connection that it was requested on.
    permit: ConnectionPermit,
    reset_on_close: Arc<ResetOnClose>,
    /// The upstream connection that only this client uses, if its logins need one.
    pinned_upstream: OnceLock<PinnedConnection>,
}

/// A client that reads nothing for so long is slow: its response holds no request permit.
pub(super) const SLOW_READER: Duration = Duration::from_millis(100);

/// No time. All other times are milliseconds since the connection was opened.
const UNSET: u64 = u64::MAX;

impl Activity {
    pub(super) fn new(permit: ConnectionPermit, reset_on_close: Arc<ResetOnClose>) -> Arc<Self> {
        Self::opened_at(permit, reset_on_close, Instant::now())
    }

    fn opened_at(
        permit: ConnectionPermit,
        reset_on_close: Arc<ResetOnClose>,
        opened: Instant,
    ) -> Arc<Self> {
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
            stalled: StalledResponses::default(),
            response_permits: ResponsePermits::default(),
            half_close: HalfClose::default(),
            interim: InterimQueue::default(),
            trailer_slot: TrailerSlot::default(),
            options_targets: OptionsTargets::default(),
            permit,
            reset_on_close,
            pinned_upstream: OnceLock::new(),
        })
    }

    /// Counts a request as active, until [`Self::end_request`]. Returns its number.
    pub(super) fn begin_request(&self, bounds: &Bounds) -> u64 {
        self.active_requests.fetch_add(1, Ordering::Relaxed);
        self.half_close.begin_request();
        self.head_since.store(UNSET, Ordering::Relaxed);
        let total = self.total_requests.fetch_add(1, Ordering::Relaxed) + 1;
        if total >= bounds.max_requests_per_connection
            || self.opened.elapsed() >= bounds.max_connection_age
        {
            self.start_draining();
        }
        total as u64
    }

    /// Whether the end of the client's stream is hidden from hyper.
    pub(super) fn half_close(&self) -> &HalfClose {
        &self.half_close
    }

    pub(super) fn has_active_requests(&self) -> bool {
        self.active_requests.load(Ordering::Relaxed) > 0
    }

    /// The interim responses that wait to be written.
    pub(super) fn interim(&self) -> &InterimQueue {
        &self.interim
    }

    /// What the request lines say about the targets of OPTIONS.
    pub(super) fn options_targets(&self) -> &OptionsTargets {
        &self.options_targets
    }

    /// The trailers of the HTTP/1.1 response that is being sent.
    pub(super) fn trailer_slot(&self) -> &TrailerSlot {
        &self.trailer_slot
    }

    /// Counts an active request once more, as another part of the gateway works on it.
    pub(super) fn share_request(&self) {
        self.active_requests.fetch_add(1, Ordering::Relaxed);
    }

    /// An active request ended.
    pub(super) fn end_request(&self) {
        self.idle_since.store(self.now_millis(), Ordering::Relaxed);
        self.active_requests.fetch_sub(1, Ordering::Relaxed);
    }

    /// Where the client is.
    pub(super) fn source(&self) -> &Arc<ClientSource> {
        self.permit.source()
    }

    /// The connection ends with a reset.
    pub(super) fn reset_on_close(&self) {
        self.reset_on_close.request();
    }

    /// The upstream connection that only this client uses.
    pub(super) fn pinned_upstream(&self) -> &OnceLock<PinnedConnection> {
        &self.pinned_upstream
    }

    /// The connection accepts no requests after the active ones.
    pub(super) fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(super) fn has_had_requests(&self) -> bool {
        self.total_requests.load(Ordering::Relaxed) > 0
    }

    /// The last head is invalid; nothing after it is read.
    pub(super) fn mark_invalid_head(&self) {
        self.invalid_head.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_invalid_head(&self) -> bool {
        self.invalid_head.load(Ordering::Relaxed)
    }

    /// True if the last head is invalid and all requests before it were answered.
    pub(super) fn is_rejection_due(&self) -> bool {
        self.has_invalid_head()
            && self.active_requests.load(Ordering::Relaxed) == 0
            && self.is_flushed()
    }

    /// The connection is a tunnel from now on.
    pub(super) fn mark_upgraded(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Relaxed)
    }

    /// The next byte is not known to begin a head.
    pub(super) fn mark_desynchronized(&self) {
        self.desynchronized.store(true, Ordering::Relaxed);
    }

    /// True if the connection is quiescent and the next byte begins a head.
    pub(super) fn is_idle(&self) -> bool {
        self.is_quiescent() && !self.desynchronized.load(Ordering::Relaxed)
    }

    /// True if no request is active or being read, and no response byte is unsent.
    pub(super) fn is_quiescent(&self) -> bool {
        self.active_requests.load(Ordering::Relaxed) == 0
            && self.head_since.load(Ordering::Relaxed) == UNSET
            && self.is_flushed()
    }

    /// Time since the last request.
    pub(super) fn idle_time(&self) -> Duration {
        self.elapsed_since(self.idle_since.load(Ordering::Relaxed))
    }

    /// Time since the first byte of the head that is being read.
    pub(super) fn head_elapsed(&self) -> Duration {
        self.elapsed_since(self.head_since.load(Ordering::Relaxed))
    }

    /// The key of the time limit that has expired, if any.
    pub(super) fn expired_timeout(&self, bounds: &Bounds) -> Option<&'static str> {
        let expired = |since: &AtomicU64, limit: Duration| {
            let since = since.load(Ordering::Relaxed);
            since != UNSET && self.elapsed_since(since) >= limit
        };
        if expired(&self.write_blocked_since, bounds.response_send_timeout)
            || self.is_stalled(bounds.response_send_timeout)
        {
            return Some("response_send_timeout");
        }
        if self.active_requests.load(Ordering::Relaxed) > 0 {
            return None;
        }
        if expired(&self.head_since, bounds.request_header_timeout) {
            return Some("request_header_timeout");
        }
        // While response bytes are unsent, `response_send_timeout` applies instead.
        let idle = self.head_since.load(Ordering::Relaxed) == UNSET && self.is_flushed();
        (idle && expired(&self.idle_since, bounds.idle_timeout)).then_some("idle_timeout")
    }

    /// Bytes arrived. If no request is active, they begin a head.
    pub(super) fn on_read(&self) {
        let no_request = self.active_requests.load(Ordering::Relaxed) == 0;
        if no_request && self.head_since.load(Ordering::Relaxed) == UNSET {
            self.head_since.store(self.now_millis(), Ordering::Relaxed);
        }
    }

    /// The bytes that arrived end a head, or belong to none.
    pub(super) fn clear_head_timer(&self) {
        self.head_since.store(UNSET, Ordering::Relaxed);
    }

    /// The client read bytes; more may wait. If they belong to a response, the connection is not
    /// idle.
    pub(super) fn on_write(&self, is_response: bool) {
        let now = self.now_millis();
        self.write_blocked_since.store(now, Ordering::Relaxed);
        if is_response && self.active_requests.load(Ordering::Relaxed) == 0 {
            self.idle_since.store(now, Ordering::Relaxed);
        }
    }

    /// The client reads no more bytes for now.
    pub(super) fn on_write_blocked(&self) {
        if self.is_flushed() {
            let now = self.now_millis();
            self.write_blocked_since.store(now, Ordering::Relaxed);
        }
    }

    /// All bytes were sent.
    pub(super) fn on_flushed(&self) {
        self.write_blocked_since.store(UNSET, Ordering::Relaxed);
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.write_blocked_since.load(Ordering::Relaxed) == UNSET
    }

    /// The response to this request waits for flow control from now on.
    pub(super) fn stall(&self, request: u64) {
        self.stalled.begin(request, self.now_millis());
    }

    /// The response to this request no longer waits for flow control.
    pub(super) fn unstall(&self, request: u64) {
        self.stalled.end(request);
    }

    /// The permits that the responses hold.
    pub(super) fn response_permits(&self) -> &ResponsePermits {
        &self.response_permits
    }

    /// True if a response that may hold a permit waits for its client.
    pub(super) fn awaits_reader(&self) -> bool {
        self.response_permits.is_used() && (!self.is_flushed() || !self.stalled.is_empty())
    }

    /// Responses whose client has read nothing for [`SLOW_READER`] give their permits back.
    pub(super) fn give_back_permits(&self) {
        if !self.response_permits.is_used() {
            return;
        }
        let blocked_since = self.write_blocked_since.load(Ordering::Relaxed);
        let is_slow = |since| since != UNSET && self.elapsed_since(since) >= SLOW_READER;
        let slow = self.stalled.since(is_slow);
        self.response_permits
            .give_back(|request| is_slow(blocked_since) || slow.contains(&request));
    }

    fn is_stalled(&self, limit: Duration) -> bool {
        let has_waited = |since| self.elapsed_since(since) >= limit;
        !self.stalled.since(has_waited).is_empty()
    }

    fn elapsed_since(&self, then: u64) -> Duration {
        Duration::from_millis(self.now_millis().saturating_sub(then))
    }

    fn now_millis(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(UNSET - 1)
    }
}

#[cfg(test)]
mod tests;
