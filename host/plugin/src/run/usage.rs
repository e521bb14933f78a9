//! What a plugin was used for, counted.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

/// The counters of one plugin.
#[derive(Debug, Default)]
pub(crate) struct UsageCounters {
    pub(crate) calls: AtomicU64,
    pub(crate) crossings: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) remembered: AtomicU64,
    pub(crate) started: AtomicU64,
    pub(crate) copies: AtomicUsize,
    pub(crate) memory: AtomicUsize,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct UsageSnapshot {
    /// Calls of `identify`, `redact` and `decide`.
    pub calls: u64,
    /// Calls of the guest into the host, of all kinds.
    pub crossings: u64,
    /// Calls that gave no answer.
    pub failures: u64,
    /// Answers that were remembered, so that no call was needed.
    pub remembered: u64,
    /// Copies that were started.
    pub started: u64,
    /// Copies that there are.
    pub copies: usize,
    /// The most linear memory that one copy had, in bytes.
    pub memory: usize,
}

impl UsageCounters {
    pub(crate) fn snapshot(&self) -> UsageSnapshot {
        UsageSnapshot {
            calls: self.calls.load(Ordering::Relaxed),
            crossings: self.crossings.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            remembered: self.remembered.load(Ordering::Relaxed),
            started: self.started.load(Ordering::Relaxed),
            copies: self.copies.load(Ordering::Relaxed),
            memory: self.memory.load(Ordering::Relaxed),
        }
    }

    /// Counts one more of what a counter counts.
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}
