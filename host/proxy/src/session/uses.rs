//! How often the exchanges of a session were replayed in one run. The exchanges themselves belong
//! to all runs, so that the next one begins without a copy of them.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::entry::Entry;

/// The replays of one run.
#[derive(Debug, Default)]
pub(super) struct Uses {
    run: u64,
    /// By the number of the exchange. One that was not replayed has none.
    replays: Mutex<HashMap<u64, u64>>,
}

impl Uses {
    /// The replays of this run, of which these are known.
    pub(super) fn new(run: u64, replays: HashMap<u64, u64>) -> Self {
        Self {
            run,
            replays: Mutex::new(replays),
        }
    }

    /// True if an exchange can be replayed in this run: an earlier one recorded it.
    pub(super) fn has(&self, entry: &Entry) -> bool {
        entry.recorded_in() < self.run
    }

    /// True if it was replayed in this run, or cannot be.
    pub(super) fn is_used(&self, entry: &Entry) -> bool {
        !self.has(entry) || self.replays(entry) > 0
    }

    /// The number of replays in this run.
    pub(super) fn replays(&self, entry: &Entry) -> u64 {
        let replays = self.replays.lock().get(&entry.ordinal).copied();
        replays.unwrap_or_default()
    }

    /// Claims the first replay; false if the exchange was claimed before.
    pub(super) fn claim_first(&self, entry: &Entry) -> bool {
        if !self.has(entry) {
            return false;
        }
        let mut replays = self.replays.lock();
        let count = replays.entry(entry.ordinal).or_default();
        let is_first = *count == 0;
        if is_first {
            *count = 1;
            entry.count_in_all_runs();
        }
        is_first
    }

    /// It was replayed in this run before the session was closed.
    pub(super) fn mark_used(&self, entry: &Entry) {
        self.replays.lock().insert(entry.ordinal, 1);
    }

    pub(super) fn count_replay(&self, entry: &Entry) {
        *self.replays.lock().entry(entry.ordinal).or_default() += 1;
        entry.count_in_all_runs();
    }

    /// Returns a claimed exchange that was not replayed after all.
    pub(super) fn release(&self, entry: &Entry) {
        let mut replays = self.replays.lock();
        if let Some(count) = replays.get_mut(&entry.ordinal) {
            *count -= 1;
            if *count == 0 {
                replays.remove(&entry.ordinal);
            }
        }
        entry.discount_in_all_runs();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_exchange::exchange;

    fn uses(run: u64) -> Uses {
        Uses::new(run, HashMap::new())
    }

    #[test]
    fn an_entry_is_claimed_once_until_it_is_released() {
        let (entry, uses) = (Entry::new(1, exchange()), uses(1));
        assert!(!uses.is_used(&entry));
        assert!(uses.claim_first(&entry));
        assert!(!uses.claim_first(&entry));
        uses.release(&entry);
        assert!(uses.claim_first(&entry));
    }

    #[test]
    fn another_run_starts_without_replays_and_keeps_the_total() {
        let (entry, first, next) = (Entry::new(1, exchange()), uses(1), uses(2));
        assert!(first.claim_first(&entry) && !next.is_used(&entry));
        assert!(entry.is_used_in_any_run());
        first.release(&entry);
        assert!(!entry.is_used_in_any_run());
        let recorded = Entry::new(2, exchange()).not_unused();
        assert!(!next.is_used(&recorded) && recorded.is_used_in_any_run());
    }

    #[test]
    fn what_a_run_recorded_is_replayed_to_later_ones_alone() {
        let entry = Entry::new(1, exchange()).recorded_by(1);
        assert!(uses(1).is_used(&entry) && !uses(1).claim_first(&entry));
        assert!(uses(2).claim_first(&entry));
    }
}
