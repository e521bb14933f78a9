//! Limits concurrent requests: further ones wait in a bounded queue, for a bounded time.

use std::sync::Arc;
use std::time::Duration;

use ouli_net::server::Contention;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A permit for one request. The next request gets it when it is dropped.
pub(crate) type RequestPermit = OwnedSemaphorePermit;

/// Limits the concurrent requests of the process or of one upstream.
#[derive(Debug)]
pub struct RequestLimiter {
    permits: Arc<Semaphore>,
    queue_slots: Arc<Semaphore>,
    queue_timeout: Duration,
}

impl RequestLimiter {
    /// At most `max` concurrent requests; up to `max_pending` more wait for `queue_timeout`.
    pub fn new(max: usize, max_pending: usize, queue_timeout: Duration) -> Self {
        let semaphore = |size| Arc::new(Semaphore::new(size));
        Self::with_semaphores(semaphore(max), semaphore(max_pending), queue_timeout)
    }

    /// The same with semaphores that the caller can resize.
    pub fn with_semaphores(
        permits: Arc<Semaphore>,
        queue_slots: Arc<Semaphore>,
        queue_timeout: Duration,
    ) -> Self {
        Self {
            permits,
            queue_slots,
            queue_timeout,
        }
    }

    /// The permits that are free.
    pub fn available_permits(&self) -> usize {
        self.permits.available_permits()
    }

    /// A permit if one is free.
    pub(crate) fn try_acquire(&self) -> Option<RequestPermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// A permit, at once or after a wait; none if the queue is full or the wait times out.
    pub(crate) async fn acquire(&self, contention: &Contention) -> Option<RequestPermit> {
        if let Some(permit) = self.try_acquire() {
            return Some(permit);
        }
        let _queue_slot = self.queue_slots.try_acquire().ok()?;
        let _waiting = contention.wait();
        let acquired = tokio::time::timeout(
            self.queue_timeout,
            Arc::clone(&self.permits).acquire_owned(),
        );
        acquired.await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn queue_is_bounded_in_length_and_time() {
        let contention = Contention::default();
        let limiter = RequestLimiter::new(1, 1, Duration::from_millis(500));
        let first = limiter.acquire(&contention).await.unwrap();
        let start = tokio::time::Instant::now();
        let (queued, rejected_after) = tokio::join!(limiter.acquire(&contention), async {
            tokio::task::yield_now().await;
            assert!(
                limiter.acquire(&contention).await.is_none(),
                "the queue has one slot"
            );
            start.elapsed()
        });
        assert!(
            rejected_after < Duration::from_millis(500),
            "{rejected_after:?}"
        );
        assert!(queued.is_none());
        assert!(start.elapsed() >= Duration::from_millis(500));
        let (queued, ()) = tokio::join!(limiter.acquire(&contention), async {
            tokio::task::yield_now().await;
            drop(first);
        });
        assert!(queued.is_some());
    }

    #[tokio::test]
    async fn a_released_permit_goes_to_the_queue() {
        let contention = Contention::default();
        let limiter = RequestLimiter::new(2, 1, Duration::from_secs(20));
        let (first, second) = (
            limiter.acquire(&contention).await,
            limiter.acquire(&contention).await,
        );
        assert!(first.is_some() && second.is_some());
        assert_eq!(limiter.available_permits(), 0);
        let (queued, ()) = tokio::join!(limiter.acquire(&contention), async {
            tokio::task::yield_now().await;
            drop(first);
        });
        assert!(queued.is_some());
        drop((queued, second));
        assert_eq!(limiter.available_permits(), 2);
    }

    #[tokio::test]
    async fn an_abandoned_wait_frees_its_queue_slot() {
        let contention = Contention::default();
        let limiter = RequestLimiter::new(1, 1, Duration::from_secs(20));
        let held = limiter.acquire(&contention).await;
        let wait = tokio::time::timeout(Duration::from_millis(5), limiter.acquire(&contention));
        assert!(wait.await.is_err(), "the client leaves the queue");
        let (queued, ()) = tokio::join!(limiter.acquire(&contention), async {
            tokio::task::yield_now().await;
            drop(held);
        });
        assert!(queued.is_some());
    }

    #[tokio::test]
    async fn without_a_queue_requests_are_rejected_at_once() {
        let contention = Contention::default();
        let limiter = RequestLimiter::new(1, 0, Duration::from_secs(20));
        let _held = limiter.acquire(&contention).await;
        assert!(limiter.acquire(&contention).await.is_none());
    }
}
