//! The limits on concurrency, which a reload can change.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::bounds::connection_limits;
use super::resizable_semaphore::{PermitDebt, ResizableSemaphore};
use ouli_config::Limits;
use ouli_net::server::{ConnectionLimiter, SharedConnectionLimiter};

/// The limits on connections, requests and streams.
pub(super) struct ConcurrencyLimits {
    connections: SharedConnectionLimiter,
    requests: ResizableSemaphore,
    pending_requests: ResizableSemaphore,
    streams: ResizableSemaphore,
}

impl ConcurrencyLimits {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            connections: ConnectionLimiter::new(connection_limits(limits)),
            requests: ResizableSemaphore::new(limits.max_concurrent_requests),
            pending_requests: ResizableSemaphore::new(limits.max_pending_requests),
            streams: ResizableSemaphore::new(limits.streams),
        }
    }

    /// The limiter of connections (`limits.connections`, `limits.connections_per_source`).
    pub(super) fn connections(&self) -> SharedConnectionLimiter {
        Arc::clone(&self.connections)
    }

    /// Permits for active requests (`limits.max_concurrent_requests`).
    pub(super) fn requests(&self) -> Arc<Semaphore> {
        self.requests.semaphore()
    }

    /// Permits for requests that wait (`limits.max_pending_requests`).
    pub(super) fn pending_requests(&self) -> Arc<Semaphore> {
        self.pending_requests.semaphore()
    }

    /// Permits for long-lived streams (`limits.streams`).
    pub(super) fn streams(&self) -> Arc<Semaphore> {
        self.streams.semaphore()
    }

    /// Applies new limits. The caller settles the returned debts.
    pub(super) fn update(&mut self, limits: &Limits) -> Vec<PermitDebt> {
        self.connections.set_limits(connection_limits(limits));
        let debts = [
            self.requests.resize(limits.max_concurrent_requests),
            self.pending_requests.resize(limits.max_pending_requests),
            self.streams.resize(limits.streams),
        ];
        debts.into_iter().flatten().collect()
    }
}
