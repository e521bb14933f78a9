//! Counters of one session.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Reasons that are kept apart; more are counted together, so that a plugin's words cannot fill the
/// memory.
const MAX_REASONS: usize = 64;

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered from the cassette.
    Hit,
    /// Not found in the cassette.
    Miss,
    /// Answered by the upstream, and in the cassette now.
    Recorded,
    /// Failed, and in the cassette as it did.
    RecordedFailure,
    /// Answered by the upstream; not to be recorded, for this reason.
    Skipped(String),
    /// Answered by the upstream; it ended early, so it is not recorded, for this reason.
    Partial(String),
    /// Answered by the upstream; the recorder was full, for this reason.
    Dropped(String),
    /// Answered by the upstream; refused at the last look before the disk.
    Refused {
        /// The id of the rule.
        rule: String,
        /// What the rule saw, without the secret.
        reason: String,
    },
    /// Answered by the upstream; it could not be recorded, for this reason.
    Failed(String),
}

/// The counters. All of them only grow.
#[derive(Debug, Default)]
pub struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    recorded: AtomicU64,
    recorded_failures: AtomicU64,
    reasons: Mutex<ReasonCounts>,
}

/// Counts by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReasonCounts {
    /// Not worth recording.
    pub skipped: BTreeMap<String, u64>,
    /// Ended early.
    pub partial: BTreeMap<String, u64>,
    /// The recorder was full.
    pub dropped: BTreeMap<String, u64>,
    /// Held a secret at the last look.
    pub refused: BTreeMap<String, u64>,
    /// Could not be recorded.
    pub failed: BTreeMap<String, u64>,
    /// Secrets taken out, by the id of the rule.
    pub redactions: BTreeMap<String, u64>,
}

impl Counters {
    /// Counts one request.
    pub fn count(&self, outcome: Outcome) {
        match outcome {
            Outcome::Hit => self.hits.fetch_add(1, Ordering::Relaxed),
            Outcome::Miss => self.misses.fetch_add(1, Ordering::Relaxed),
            Outcome::Recorded => self.recorded.fetch_add(1, Ordering::Relaxed),
            Outcome::RecordedFailure => self.recorded_failures.fetch_add(1, Ordering::Relaxed),
            Outcome::Skipped(reason) => self.add(|all| &mut all.skipped, reason, 1),
            Outcome::Partial(reason) => self.add(|all| &mut all.partial, reason, 1),
            Outcome::Dropped(reason) => self.add(|all| &mut all.dropped, reason, 1),
            Outcome::Refused { rule, .. } => self.add(|all| &mut all.refused, rule, 1),
            Outcome::Failed(reason) => self.add(|all| &mut all.failed, reason, 1),
        };
    }

    /// Counts secrets that one rule took out.
    pub fn count_redactions(&self, rule: &str, times: u64) {
        self.add(|all| &mut all.redactions, rule.to_owned(), times);
    }

    /// Counts exchanges that were written and that the disk did not confirm.
    pub fn count_unconfirmed(&self, reason: String, count: u64) {
        self.add(|all| &mut all.failed, reason, count);
    }

    /// True where nothing was counted.
    pub fn is_empty(&self) -> bool {
        let counts = self.hits() + self.misses() + self.recorded() + self.recorded_failures();
        counts == 0 && *self.lock() == ReasonCounts::default()
    }

    /// Requests answered from the cassette.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Requests not found in the cassette.
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// Exchanges written that failed.
    pub fn recorded_failures(&self) -> u64 {
        self.recorded_failures.load(Ordering::Relaxed)
    }

    /// Exchanges written that did not fail.
    pub fn recorded(&self) -> u64 {
        self.recorded.load(Ordering::Relaxed)
    }

    /// The counts by reason.
    pub fn reasons(&self) -> ReasonCounts {
        self.lock().clone()
    }

    fn add(
        &self,
        which: impl FnOnce(&mut ReasonCounts) -> &mut BTreeMap<String, u64>,
        reason: String,
        times: u64,
    ) -> u64 {
        let mut all = self.lock();
        let counts = which(&mut all);
        let known = counts.contains_key(&reason) || counts.len() < MAX_REASONS;
        let reason = if known { reason } else { "other".to_owned() };
        let count = counts.entry(reason).or_default();
        *count += times;
        *count
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ReasonCounts> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_bounded() {
        let tally = Counters::default();
        for number in 0..200 {
            tally.count(Outcome::Skipped(format!("reason {number}")));
        }
        let reasons = tally.reasons();
        assert_eq!(reasons.skipped.len(), MAX_REASONS + 1);
        assert_eq!(reasons.skipped["other"], 200 - MAX_REASONS as u64);
    }
}
