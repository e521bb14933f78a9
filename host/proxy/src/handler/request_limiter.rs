//! Turns: so many are taken at once, so many more are waited for, and only for a while.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A turn; dropped, the next has it.
pub(crate) type Turn = OwnedSemaphorePermit;

/// The turns of all requests, or of those to one upstream.
#[derive(Debug)]
pub struct Turns {
    free: Arc<Semaphore>,
    places: Arc<Semaphore>,
    wait: Duration,
}

impl Turns {
    /// So many turns (`most`), for which so many may wait (`queue`) for so long.
    pub fn new(most: usize, queue: usize, wait: Duration) -> Self {
        let semaphore = |size| Arc::new(Semaphore::new(size));
        Self::over(semaphore(most), semaphore(queue), wait)
    }

    /// As many turns as are free, and as many places to wait for one, which others may make more or
    /// fewer.
    pub fn over(free: Arc<Semaphore>, places: Arc<Semaphore>, wait: Duration) -> Self {
        Self { free, places, wait }
    }

    /// The turns that nobody has.
    pub fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// A turn, at once or after a wait; none where too many wait already or the wait is too long.
    pub(crate) async fn take(&self) -> Option<Turn> {
        if let Ok(turn) = Arc::clone(&self.free).try_acquire_owned() {
            return Some(turn);
        }
        let _place = self.places.try_acquire().ok()?;
        let waited = tokio::time::timeout(self.wait, Arc::clone(&self.free).acquire_owned());
        waited.await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_who_wait_are_few_and_do_not_wait_long() {
        let turns = Turns::new(1, 1, Duration::from_millis(500));
        let first = turns.take().await.unwrap();
        let start = tokio::time::Instant::now();
        let (waited, at_once) = tokio::join!(turns.take(), async {
            tokio::task::yield_now().await;
            assert!(turns.take().await.is_none(), "there is one place to wait");
            start.elapsed()
        });
        assert!(at_once < Duration::from_millis(500), "{at_once:?}");
        assert!(waited.is_none());
        assert!(start.elapsed() >= Duration::from_millis(500));
        let (waited, ()) = tokio::join!(turns.take(), async {
            tokio::task::yield_now().await;
            drop(first);
        });
        assert!(waited.is_some());
    }
}
