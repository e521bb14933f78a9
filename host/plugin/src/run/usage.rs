//! The usage counters of one plugin.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

/// The usage counters of one plugin.
#[derive(Debug, Default)]
pub(crate) struct UsageCounters {
    calls: AtomicU64,
    host_calls: AtomicU64,
    failures: AtomicU64,
    cache_hits: AtomicU64,
    instances_started: AtomicU64,
    instances: AtomicUsize,
    peak_memory: AtomicUsize,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct UsageSnapshot {
    /// Calls of `identify`, `redact` and `decide`.
    pub calls: u64,
    /// Calls of the guest into the host, of all kinds.
    pub host_calls: u64,
    /// Calls that returned no result.
    pub failures: u64,
    /// Results that came from the cache instead of a call.
    pub cache_hits: u64,
    /// Instances that were started.
    pub instances_started: u64,
    /// Instances that exist now.
    pub instances: usize,
    /// The largest linear memory of one instance, in bytes.
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

    /// Counts a call in which the guest called the host `host_calls` times.
    pub(super) fn count_call(&self, host_calls: u64) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.host_calls.fetch_add(host_calls, Ordering::Relaxed);
    }

    /// Counts a call that returned no result.
    pub(crate) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a result from the cache.
    pub(crate) fn count_cache_hit(&self) {
        self.cache_hits.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the start of an instance.
    pub(super) fn count_start(&self) {
        self.instances_started.fetch_add(1, Ordering::Relaxed);
        self.instances.fetch_add(1, Ordering::Relaxed);
    }

    /// Records the linear memory of an instance.
    pub(super) fn record_memory(&self, bytes: usize) {
        self.peak_memory.fetch_max(bytes, Ordering::Relaxed);
    }

    /// Counts the end of an instance.
    pub(super) fn count_drop(&self) {
        self.instances.fetch_sub(1, Ordering::Relaxed);
    }
}
