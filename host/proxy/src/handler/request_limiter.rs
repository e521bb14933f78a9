//! Turns: so many are taken at once, so many more are waited for, and only for a while.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A turn; dropped, the next has it.
pub(crate) type RequestPermit = OwnedSemaphorePermit;

/// The turns of all requests, or of those to one upstream.
#[derive(Debug)]
pub struct RequestLimiter {
    permits: Arc<Semaphore>,
    queue_slots: Arc<Semaphore>,
    queue_timeout: Duration,
}

impl RequestLimiter {
    /// So many turns (`most`), for which so many may wait (`queue`) for so long.
    pub fn new(most: usize, queue: usize, wait: Duration) -> Self {
        let semaphore = |size| Arc::new(Semaphore::new(size));
        Self::with_semaphores(semaphore(most), semaphore(queue), wait)
    }

    /// As many turns as are free, and as many places to wait for one, which others may make more or
    /// fewer.
    pub fn with_semaphores(free: Arc<Semaphore>, places: Arc<Semaphore>, wait: Duration) -> Self {
        Self {
            permits: free,
            queue_slots: places,
            queue_timeout: wait,
        }
    }

    /// The turns that nobody has.
    pub fn available_permits(&self) -> usize {
        self.permits.available_permits()
    }

    /// A turn, at once or after a wait; none where too many wait already or the wait is too long.
    pub(crate) async fn acquire(&self) -> Option<RequestPermit> {
        if let Ok(turn) = Arc::clone(&self.permits).try_acquire_owned() {
            return Some(turn);
        }
        let _place = self.queue_slots.try_acquire().ok()?;
        let waited = tokio::time::timeout(
            self.queue_timeout,
            Arc::clone(&self.permits).acquire_owned(),
        );
        waited.await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn queue_is_bounded_in_length_and_time() {
        let turns = RequestLimiter::new(1, 1, Duration::from_millis(500));
        let first = turns.acquire().await.unwrap();
        let start = tokio::time::Instant::now();
        let (waited, at_once) = tokio::join!(turns.acquire(), async {
            tokio::task::yield_now().await;
            assert!(
                turns.acquire().await.is_none(),
                "there is one place to wait"
            );
            start.elapsed()
        });
        assert!(at_once < Duration::from_millis(500), "{at_once:?}");
        assert!(waited.is_none());
        assert!(start.elapsed() >= Duration::from_millis(500));
        let (waited, ()) = tokio::join!(turns.acquire(), async {
            tokio::task::yield_now().await;
            drop(first);
        });
        assert!(waited.is_some());
    }
}
