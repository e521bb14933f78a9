//! What a plugin was used for, counted.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

/// The counters of one plugin.
#[derive(Debug, Default)]
pub(crate) struct UsageCounters {
    pub(crate) calls: AtomicU64,
    pub(crate) host_calls: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) cache_hits: AtomicU64,
    pub(crate) instances_started: AtomicU64,
    pub(crate) instances: AtomicUsize,
    pub(crate) peak_memory: AtomicUsize,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct UsageSnapshot {
    /// Calls of `identify`, `redact` and `decide`.
    pub calls: u64,
    /// Calls of the guest into the host, of all kinds.
    pub host_calls: u64,
    /// Calls that gave no answer.
    pub failures: u64,
    /// Answers that were remembered, so that no call was needed.
    pub cache_hits: u64,
    /// Copies that were started.
    pub instances_started: u64,
    /// Copies that there are.
    pub instances: usize,
    /// The most linear memory that one copy had, in bytes.
    pub peak_memory: usize,
}

impl UsageCounters {
    pub(crate) fn snapshot(&self) -> UsageSnapshot {
        UsageSnapshot {
            calls: self.calls.load(Ordering::Relaxed),
            host_calls: self.host_calls.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            cache_hits: self.cache_hits.load(Ordering::Relaxed),
            instances_started: self.instances_started.load(Ordering::Relaxed),
            instances: self.instances.load(Ordering::Relaxed),
            peak_memory: self.peak_memory.load(Ordering::Relaxed),
        }
    }

    /// Counts one more of what a counter counts.
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}
