//! The state that outlives reloads: the sessions, the recorder and the limits of the whole process.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::body_workers::BodyWorkers;
use super::error::ExchangeError;
use super::request_limiter::{RequestLimiter, RequestPermit};
use super::snapshot::Snapshot;
use crate::session::{Counters, MemoryBudget, Recorder, Sessions};
use ouli_net::drain::Drain;
use ouli_net::server::{Contention, RequestGuard};
use ouli_net::upstream::OwnListeners;

/// Renders a page of the gateway's own.
pub type PageRenderer = Box<dyn Fn() -> String + Send + Sync>;

/// The state that outlives reloads, shared by all workers.
pub struct SharedState {
    /// The state of the plugins as JSON.
    pub plugin_status_page: PageRenderer,
    /// The listeners of this gateway, to which it never connects itself.
    pub own_listeners: Arc<OwnListeners>,
    /// The current generation.
    pub snapshot: ArcSwap<Snapshot>,
    /// The sessions.
    pub sessions: Arc<Sessions>,
    /// Counts what belongs to no session, such as a request that is rejected before its session is
    /// known.
    pub counters: Arc<Counters>,
    /// Writes the cassettes.
    pub recorder: Recorder,
    /// The memory that exchanges hold.
    pub budget: MemoryBudget,
    /// Permits for exchanges that wait for the recorder's queue after their clients have left.
    pub detached_deliveries: Arc<Semaphore>,
    /// Permits for reads that no client waits for (`limits.background_reads`).
    pub background_reads: Arc<Semaphore>,
    /// Threads for large bodies (`limits.offload_size`).
    pub body_workers: BodyWorkers,
    /// Threads that read stored bodies, and code responses.
    pub body_reads: BodyWorkers,
    /// Threads that read cassettes and derive the keys of their exchanges.
    pub session_loads: BodyWorkers,
    /// Limits concurrent requests (`limits.max_concurrent_requests`).
    pub request_limiter: RequestLimiter,
    /// Whether requests wait for a permit.
    pub contention: Contention,
    /// Permits for long-lived streams (`limits.streams`).
    pub stream_permits: Arc<Semaphore>,
    /// Tracks the tasks that must finish before the process ends.
    pub drain: Drain,
}

/// A permit for a long-lived stream.
pub(crate) type StreamPermit = OwnedSemaphorePermit;

/// The right to be served.
pub(super) enum Permit {
    Request(RequestPermit),
    #[expect(dead_code, reason = "it is held until it is dropped")]
    Stream(StreamPermit),
}

impl SharedState {
    /// A permit for one request, at once or after a bounded wait; none above the memory limit. A
    /// gRPC call gets a stream permit: it lasts for as long as its client wants.
    pub(super) async fn permit(&self, guard: &RequestGuard) -> Result<Permit, ExchangeError> {
        if let Some(limit) = guard.exceeded_source_limit() {
            return Err(ExchangeError::TooManyRequests(limit));
        }
        if self.budget.above_hard_limit() {
            return Err(ExchangeError::MemoryLimit);
        }
        if guard.is_call() {
            let permit = self.stream_permit().ok_or(ExchangeError::TooManyStreams)?;
            return Ok(Permit::Stream(permit));
        }
        let permit = self.request_limiter.acquire(&self.contention).await;
        permit
            .map(Permit::Request)
            .ok_or(ExchangeError::TooManyRequests("max_concurrent_requests"))
    }

    /// Why an exchange ended before something else: its client left, or the gateway stopped, which
    /// drops what is in progress.
    pub(crate) fn reason_for_ending(&self, before: &str) -> String {
        let who = match self.drain.is_aborting() {
            true => "the gateway stopped",
            false => "the client left",
        };
        format!("{who} before {before}")
    }

    /// A permit for a long-lived stream, if one is free. A WebSocket and an event stream exchange
    /// their request permit for it.
    pub(super) fn stream_permit(&self) -> Option<StreamPermit> {
        Arc::clone(&self.stream_permits).try_acquire_owned().ok()
    }
}
