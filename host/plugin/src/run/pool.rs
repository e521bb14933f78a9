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
pub(crate) struct Pool {
    shards: [Mutex<Vec<Instance>>; SHARDS],
    ready: Mutex<Vec<Instance>>,
    gate: Gate,
}

thread_local! {
    /// The part of every stock that belongs to this thread.
    static SHARD: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS
    };
}

impl Pool {
    /// An idle copy: one that this thread has used, or one that nobody has.
    pub(crate) fn take(&self) -> Option<Instance> {
        let own = lock(&self.shards[SHARD.with(|shard| *shard)]).pop();
        own.or_else(|| lock(&self.ready).pop())
    }

    /// Puts a copy back after a good call, unless it is to be replaced.
    pub(crate) fn put(&self, instance: Instance, bounds: &Bounds) {
        if instance.is_worn(bounds) {
            return;
        }
        let mut idle = lock(&self.shards[SHARD.with(|shard| *shard)]);
        // More may run at once; those beyond are dropped when they come back.
        if idle.len() < bounds.idle_copies {
            idle.push(instance);
        }
    }

    /// Adds a copy that nobody has used.
    pub(crate) fn stock(&self, instance: Instance) {
        lock(&self.ready).push(instance);
    }

    /// A place for one call, at once or after a wait.
    pub(crate) fn enter(&self, bounds: &Bounds, wait: Duration) -> Option<Pass<'_>> {
        self.gate.enter(bounds.in_flight, wait)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts the calls under way.
#[derive(Default)]
struct Gate {
    inside: AtomicUsize,
    waiting: AtomicUsize,
    lock: Mutex<()>,
    left: Condvar,
}

/// A place for one call; dropped, it is free again.
pub(crate) struct Pass<'a>(&'a Gate);

impl Gate {
    fn enter(&self, most: usize, wait: Duration) -> Option<Pass<'_>> {
        if self.try_enter(most) {
            return Some(Pass(self));
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let guard = lock(&self.lock);
        let waited = self
            .left
            .wait_timeout_while(guard, wait, |()| !self.try_enter(most));
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        let (guard, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(guard);
        (!outcome.timed_out()).then(|| Pass(self))
    }

    fn try_enter(&self, most: usize) -> bool {
        let entered = self
            .inside
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |inside| {
                (inside < most).then_some(inside + 1)
            });
        entered.is_ok()
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
        if self.0.waiting.load(Ordering::SeqCst) > 0 {
            // Who waits holds the lock from its look to its sleep, so the word is not missed.
            drop(lock(&self.0.lock));
            self.0.left.notify_one();
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
        let gate = Gate::default();
        let first = gate.enter(2, NOT_AT_ALL).unwrap();
        let second = gate.enter(2, NOT_AT_ALL).unwrap();
        assert!(gate.enter(2, NOT_AT_ALL).is_none());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| gate.enter(2, LONG).is_some());
            while gate.waiting.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            drop(first);
            assert!(waiting.join().unwrap());
        });
        drop(second);
        assert_eq!(gate.inside.load(Ordering::SeqCst), 0);
    }
}
