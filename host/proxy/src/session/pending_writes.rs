//! The exchanges of a session that are complete but not yet written.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The keys of the exchanges that are complete but not yet written.
#[derive(Debug, Default)]
pub(super) struct PendingWrites {
    /// The runs that the exchanges of a key belong to.
    runs: Mutex<HashMap<u128, Vec<u64>>>,
    write_finished: Notify,
}

impl PendingWrites {
    /// The exchange with this key is being written.
    pub(super) fn begin(self: &Arc<Self>, key: u128, run: u64) -> PendingKey {
        self.runs.lock().entry(key).or_default().push(run);
        PendingKey(Arc::new(KeyGuard {
            writes: Arc::clone(self),
            key,
            run,
        }))
    }

    /// The exchange was written, or will not be.
    fn end(&self, key: u128, run: u64) {
        let mut runs = self.runs.lock();
        if let Some(of_key) = runs.get_mut(&key) {
            if let Some(found) = of_key.iter().position(|it| *it == run) {
                of_key.swap_remove(found);
            }
            if of_key.is_empty() {
                runs.remove(&key);
            }
        }
        drop(runs);
        self.write_finished.notify_waiters();
    }

    /// Waits while an exchange with this key is being written that began in a run before `run`.
    pub(super) async fn wait_for_earlier(&self, key: u128, run: u64) {
        loop {
            let finished = self.write_finished.notified();
            let is_pending = |runs: &Vec<u64>| runs.iter().any(|it| *it < run);
            if !self.runs.lock().get(&key).is_some_and(is_pending) {
                return;
            }
            finished.await;
        }
    }
}

/// The key of an exchange that is complete but not yet written. Requests with this key wait until
/// the last clone is dropped, also by a panic.
#[derive(Clone, Debug)]
pub struct PendingKey(#[expect(dead_code, reason = "dropped with the last clone")] Arc<KeyGuard>);

#[derive(Debug)]
struct KeyGuard {
    writes: Arc<PendingWrites>,
    key: u128,
    run: u64,
}

impl Drop for KeyGuard {
    fn drop(&mut self) {
        self.writes.end(self.key, self.run);
    }
}

/// The number of exchanges that are complete but not yet written.
#[derive(Debug, Default)]
pub(super) struct UnwrittenCount {
    count: AtomicU64,
    all_written: Notify,
}

/// An exchange that is complete but not yet written, or will not be. Clones are one exchange.
#[derive(Clone)]
pub struct UnwrittenExchange(
    #[expect(dead_code, reason = "dropped with the last clone")] Arc<Guard>,
);

struct Guard([Arc<UnwrittenCount>; 2]);

impl UnwrittenExchange {
    /// Counts an exchange in its run and in all runs.
    pub(super) fn new(counts: [Arc<UnwrittenCount>; 2]) -> Self {
        for one in &counts {
            one.count.fetch_add(1, Ordering::AcqRel);
        }
        Self(Arc::new(Guard(counts)))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        for one in &self.0 {
            if one.count.fetch_sub(1, Ordering::AcqRel) == 1 {
                one.all_written.notify_waiters();
            }
        }
    }
}

impl UnwrittenCount {
    /// The number.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// True if there is one.
    pub(super) fn is_any(&self) -> bool {
        self.count() > 0
    }

    /// Waits until each exchange is written, or will not be.
    pub(super) async fn wait_for_none(&self) {
        loop {
            let all_written = self.all_written.notified();
            if !self.is_any() {
                return;
            }
            all_written.await;
        }
    }
}
