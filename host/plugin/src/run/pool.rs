//! The stock of idle copies of one plugin.
//!
//! Copies are reused, since starting one costs far more than asking one. A copy is taken out of the
//! stock for a call and put back after a good one; a copy that trapped is never seen again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::instance::Instance;
use crate::Bounds;

/// Parts of a stock. Each thread has one of its own, as far as there are enough.
const SHARDS: usize = 16;

/// Idle copies in a part for each thread, so that threads do not wait for each other and a copy
/// stays near its core, and those that nobody has used yet.
#[derive(Default)]
pub(crate) struct InstancePool {
    shards: [Mutex<Vec<Instance>>; SHARDS],
    unused: Mutex<Vec<Instance>>,
    call_limiter: CallLimiter,
}

thread_local! {
    /// The part of every stock that belongs to this thread.
    static SHARD: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS
    };
}

impl InstancePool {
    /// An idle copy: one that this thread has used, or one that nobody has.
    pub(crate) fn checkout(&self) -> Option<Instance> {
        let own = lock(&self.shards[SHARD.with(|shard| *shard)]).pop();
        own.or_else(|| lock(&self.unused).pop())
    }

    /// Puts a copy back after a good call, unless it is to be replaced.
    pub(crate) fn check_in(&self, instance: Instance, bounds: &Bounds) {
        if instance.should_replace(bounds) {
            return;
        }
        let mut idle = lock(&self.shards[SHARD.with(|shard| *shard)]);
        // More may run at once; those beyond are dropped when they come back.
        if idle.len() < bounds.idle_instances {
            idle.push(instance);
        }
    }

    /// Adds a copy that nobody has used.
    pub(crate) fn add_unused(&self, instance: Instance) {
        lock(&self.unused).push(instance);
    }

    /// A place for one call, at once or after a wait.
    pub(crate) fn acquire_permit(&self, bounds: &Bounds, wait: Duration) -> Option<CallPermit<'_>> {
        self.call_limiter.acquire(bounds.max_concurrent_calls, wait)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts the calls under way.
#[derive(Default)]
struct CallLimiter {
    active: AtomicUsize,
    waiting: AtomicUsize,
    lock: Mutex<()>,
    released: Condvar,
}

/// A place for one call; dropped, it is free again.
pub(crate) struct CallPermit<'a>(&'a CallLimiter);

impl CallLimiter {
    fn acquire(&self, most: usize, wait: Duration) -> Option<CallPermit<'_>> {
        if self.try_acquire(most) {
            return Some(CallPermit(self));
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let guard = lock(&self.lock);
        let waited = self
            .released
            .wait_timeout_while(guard, wait, |()| !self.try_acquire(most));
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        let (guard, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(guard);
        (!outcome.timed_out()).then(|| CallPermit(self))
    }

    fn try_acquire(&self, most: usize) -> bool {
        let entered = self
            .active
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |inside| {
                (inside < most).then_some(inside + 1)
            });
        entered.is_ok()
    }
}

impl Drop for CallPermit<'_> {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::SeqCst);
        if self.0.waiting.load(Ordering::SeqCst) > 0 {
            // Who waits holds the lock from its look to its sleep, so the word is not missed.
            drop(lock(&self.0.lock));
            self.0.released.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_AT_ALL: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn only_so_many_are_inside_and_a_place_is_handed_on() {
        let gate = CallLimiter::default();
        let first = gate.acquire(2, NOT_AT_ALL).unwrap();
        let second = gate.acquire(2, NOT_AT_ALL).unwrap();
        assert!(gate.acquire(2, NOT_AT_ALL).is_none());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| gate.acquire(2, LONG).is_some());
            while gate.waiting.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            drop(first);
            assert!(waiting.join().unwrap());
        });
        drop(second);
        assert_eq!(gate.active.load(Ordering::SeqCst), 0);
    }
}
