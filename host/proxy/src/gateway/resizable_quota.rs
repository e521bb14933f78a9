//! A number of places that a reload can change, while those that are taken stay taken.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::bounds::connection_limits;
use ouli_config::Limits;
use ouli_net::server::{ConnectionLimiter, SharedConnectionLimiter};

/// What a reload can make more or fewer.
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

    /// Slots for connections (`limits.connections` and those of each source).
    pub(super) fn connections(&self) -> SharedConnectionLimiter {
        Arc::clone(&self.connections)
    }

    /// Places for requests (`limits.max_concurrent_requests`).
    pub(super) fn requests(&self) -> Arc<Semaphore> {
        self.requests.semaphore()
    }

    /// Places to wait for such a place (`limits.max_pending_requests`).
    pub(super) fn pending_requests(&self) -> Arc<Semaphore> {
        self.pending_requests.semaphore()
    }

    /// Places for streams (`limits.streams`).
    pub(super) fn streams(&self) -> Arc<Semaphore> {
        self.streams.semaphore()
    }

    /// Makes them as the limits say. Returns what is to be waited for.
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

/// Places, and how many there are to be.
struct ResizableSemaphore {
    semaphore: Arc<Semaphore>,
    capacity: usize,
}

/// Places that are taken and shall not come back.
pub(super) struct PermitDebt {
    semaphore: Arc<Semaphore>,
    permits: u32,
}

impl ResizableSemaphore {
    /// So many places, all free.
    fn new(size: usize) -> Self {
        Self {
            semaphore: Arc::new(Semaphore::new(size)),
            capacity: size,
        }
    }

    fn semaphore(&self) -> Arc<Semaphore> {
        Arc::clone(&self.semaphore)
    }

    /// Makes them more or fewer. What is to go and is taken is given back later: that is for the
    /// caller to wait for.
    fn resize(&mut self, size: usize) -> Option<PermitDebt> {
        let before = std::mem::replace(&mut self.capacity, size);
        if size >= before {
            self.semaphore.add_permits(size - before);
            return None;
        }
        let rest = before - size - self.semaphore.forget_permits(before - size);
        let size = u32::try_from(rest).unwrap_or(u32::MAX);
        (size > 0).then(|| PermitDebt {
            semaphore: self.semaphore(),
            permits: size,
        })
    }
}

impl PermitDebt {
    /// Takes the places out of use as they come back, before anybody else gets them.
    pub(super) async fn settle(self) {
        // The places are never closed.
        if let Ok(permits) = self.semaphore.acquire_many(self.permits).await {
            permits.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_that_are_taken_go_when_they_come_back() {
        let mut quota = ResizableSemaphore::new(3);
        let places = quota.semaphore();
        let taken = [0; 3].map(|_| places.try_acquire().unwrap());
        let debt = quota.resize(1).unwrap();
        let settled = debt.settle();
        let mut settled = std::pin::pin!(settled);
        assert!(is_pending(settled.as_mut()).await);
        let [one, two, three] = taken;
        drop(one);
        assert!(places.try_acquire().is_err());
        drop(two);
        settled.await;
        assert!(places.try_acquire().is_err());
        drop(three);
        assert_eq!(places.available_permits(), 1);
    }

    #[test]
    fn free_places_come_and_go_at_once() {
        let mut quota = ResizableSemaphore::new(3);
        assert!(quota.resize(1).is_none());
        assert_eq!(quota.semaphore().available_permits(), 1);
        assert!(quota.resize(5).is_none());
        assert_eq!(quota.semaphore().available_permits(), 5);
    }

    async fn is_pending(mut future: std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
        std::future::poll_fn(|cx| {
            let pending = future.as_mut().poll(cx).is_pending();
            std::task::Poll::Ready(pending)
        })
        .await
    }
}
