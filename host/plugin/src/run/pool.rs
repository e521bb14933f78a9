//! The idle instances of one plugin.
//!
//! Instances are reused because starting one costs far more than calling it. A call takes an
//! instance out of the pool and puts it back when it succeeds; an instance that trapped is dropped.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::instance::Instance;
use crate::Bounds;

/// Shards of a pool. Each thread uses its own, as far as there are enough.
const SHARDS: usize = 16;

/// Idle instances: a shard for each thread, so that threads do not wait for each other and an
/// instance stays near its core, and the instances that no call has used yet.
#[derive(Default)]
pub(crate) struct InstancePool {
    shards: [Mutex<Vec<Instance>>; SHARDS],
    unused: Mutex<Vec<Instance>>,
}

thread_local! {
    /// The index of this thread's shard in every pool.
    static SHARD: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS
    };
}

impl InstancePool {
    /// An idle instance: one of this thread, or one that no call has used yet.
    pub(crate) fn checkout(&self) -> Option<Instance> {
        let own = self.own_shard().lock().pop();
        own.or_else(|| self.unused.lock().pop())
    }

    /// Puts an instance back after a call succeeded, unless it is due for replacement.
    pub(crate) fn check_in(&self, instance: Instance, bounds: &Bounds) {
        if instance.should_replace(bounds) {
            return;
        }
        let mut idle = self.own_shard().lock();
        // More instances may run at the same time; those above the limit are dropped here.
        if idle.len() < bounds.idle_instances {
            idle.push(instance);
        }
    }

    /// Adds an instance that no call has used yet.
    pub(crate) fn add_unused(&self, instance: Instance) {
        self.unused.lock().push(instance);
    }

    fn own_shard(&self) -> &Mutex<Vec<Instance>> {
        &self.shards[SHARD.with(|shard| *shard)]
    }
}
