//! Limits how many calls of one plugin run at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Counts the running calls of one plugin. Callers above the limit wait.
#[derive(Default)]
pub(crate) struct CallLimiter {
    active: AtomicUsize,
    waiting: AtomicUsize,
    lock: Mutex<()>,
    released: Condvar,
}

/// Permits one call; dropping it releases the place.
pub(crate) struct CallPermit<'a>(&'a CallLimiter);

impl CallLimiter {
    /// A permit, at once or after at most `wait`.
    pub(crate) fn acquire(&self, limit: usize, wait: Duration) -> Option<CallPermit<'_>> {
        if self.try_acquire(limit) {
            return Some(CallPermit(self));
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut guard = self.lock.lock();
        let outcome = self
            .released
            .wait_while_for(&mut guard, |()| !self.try_acquire(limit), wait);
        drop(guard);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        // Not `then_some`: a permit that is created and dropped would release a place.
        (!outcome.timed_out()).then(|| CallPermit(self))
    }

    fn try_acquire(&self, limit: usize) -> bool {
        self.active
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |active| {
                (active < limit).then_some(active + 1)
            })
            .is_ok()
    }
}

impl Drop for CallPermit<'_> {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::SeqCst);
        if self.0.waiting.load(Ordering::SeqCst) > 0 {
            // A waiting caller holds the lock from its check until it sleeps. Taking the lock here
            // makes sure that it does not miss the notification.
            drop(self.0.lock.lock());
            self.0.released.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_WAIT: Duration = Duration::ZERO;
    const LONG_WAIT: Duration = Duration::from_secs(30);

    #[test]
    fn a_released_place_goes_to_a_waiting_caller() {
        let limiter = CallLimiter::default();
        let first = limiter.acquire(2, NO_WAIT).unwrap();
        let second = limiter.acquire(2, NO_WAIT).unwrap();
        assert!(limiter.acquire(2, NO_WAIT).is_none());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| limiter.acquire(2, LONG_WAIT).is_some());
            while limiter.waiting.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            drop(first);
            assert!(waiting.join().unwrap());
        });
        drop(second);
        assert_eq!(limiter.active.load(Ordering::SeqCst), 0);
    }
}
