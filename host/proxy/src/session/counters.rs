//! Counters of one session.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::hit::Hit;
use super::outcome::Outcome;
use ouli_config::Defect;
use ouli_redaction::FORGOTTEN_SECRETS;

/// Maximum number of distinct reasons. Further reasons are counted together, so that the texts of a
/// plugin cannot exhaust the memory.
const MAX_REASONS: usize = 64;

/// The counters of one run of a session, or of all its runs. They never decrease.
#[derive(Debug, Default)]
pub struct Counters {
    hits: AtomicU64,
    repeated: AtomicU64,
    misses: AtomicU64,
    renamed: AtomicU64,
    recorded: AtomicU64,
    recorded_failures: AtomicU64,
    reasons: Mutex<ReasonCounts>,
    /// The counters of all runs, which count the same.
    total: Option<Arc<Self>>,
}

/// Counts by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReasonCounts {
    /// Excluded by a policy.
    pub skipped: BTreeMap<String, u64>,
    /// The defects other than misses. Those of the guard are by the id of the rule.
    pub defects: BTreeMap<Defect, BTreeMap<String, u64>>,
    /// Redacted secrets, by the id of the rule.
    pub redactions: BTreeMap<String, u64>,
    /// Hits without an equal key, by what they were found by.
    pub inexact: BTreeMap<String, u64>,
    /// How often another secret began to stand for a recorded one, by its placeholder and place.
    pub renamings: BTreeMap<String, u64>,
}

impl Counters {
    /// The counters of a run, which also count in `total`.
    pub(super) fn of_run(total: &Arc<Self>) -> Self {
        Self {
            total: Some(Arc::clone(total)),
            ..Self::default()
        }
    }

    /// Counts the outcome of a request.
    pub fn count(&self, outcome: Outcome) {
        if let Some(total) = &self.total {
            total.count(outcome.clone());
        }
        match outcome {
            Outcome::Hit(hit) => self.count_hit(hit),
            Outcome::Miss => self.misses.fetch_add(1, Ordering::Relaxed),
            Outcome::Recorded => self.recorded.fetch_add(1, Ordering::Relaxed),
            Outcome::RecordedFailure => self.recorded_failures.fetch_add(1, Ordering::Relaxed),
            Outcome::Skipped(reason) => self.add(|reasons| &mut reasons.skipped, reason, 1),
            Outcome::Refused { rule, .. } => self.add_defect(Defect::Secret, rule, 1),
            Outcome::Failed(defect, reason) => self.add_defect(defect, reason, 1),
        };
    }

    fn count_hit(&self, hit: Hit) -> u64 {
        if let Some(name) = hit.found_by.name() {
            self.add(|reasons| &mut reasons.inexact, name.to_owned(), 1);
        }
        if hit.is_repeated {
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
        self.hits.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts a hit in which secrets stand for others.
    pub(super) fn count_renamed(&self) {
        if let Some(total) = &self.total {
            total.count_renamed();
        }
        self.renamed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts that another secret begins to stand for a recorded one.
    pub(super) fn count_renaming(&self, description: String) {
        if let Some(total) = &self.total {
            total.count_renaming(description.clone());
        }
        self.add(|reasons| &mut reasons.renamings, description, 1);
    }

    /// Counts secrets that a rule redacted.
    pub fn count_redactions(&self, rule: &str, times: u64) {
        if let Some(total) = &self.total {
            total.count_redactions(rule, times);
        }
        self.add(|reasons| &mut reasons.redactions, rule.to_owned(), times);
    }

    /// Counts several exchanges with the same defect.
    pub fn count_defects(&self, defect: Defect, reason: &str, count: u64) {
        if let Some(total) = &self.total {
            total.count_defects(defect, reason, count);
        }
        self.add_defect(defect, reason.to_owned(), count);
    }

    /// Adds what others counted.
    pub(super) fn add_all(&self, others: &Self) {
        let sums = [
            (&self.hits, others.hits()),
            (&self.repeated, others.repeated()),
            (&self.misses, others.misses()),
            (&self.renamed, others.renamed()),
            (&self.recorded, others.recorded()),
            (&self.recorded_failures, others.recorded_failures()),
        ];
        for (sum, count) in sums {
            sum.fetch_add(count, Ordering::Relaxed);
        }
        let mut own = self.reasons.lock();
        let reasons = others.reasons();
        add_each(&mut own.skipped, reasons.skipped);
        add_each(&mut own.redactions, reasons.redactions);
        add_each(&mut own.inexact, reasons.inexact);
        add_each(&mut own.renamings, reasons.renamings);
        for (defect, counts) in reasons.defects {
            add_each(own.defects.entry(defect).or_default(), counts);
        }
    }

    /// Replaces the reasons that contain a secret.
    pub(super) fn withhold(&self, is_secret: impl Fn(&str) -> bool) {
        let mut reasons = self.reasons.lock();
        for counts in reasons.all_mut() {
            let secret: Vec<_> = counts.keys().filter(|it| is_secret(it)).cloned().collect();
            for reason in secret {
                let count = counts.remove(&reason).unwrap_or_default();
                *counts.entry(WITHHELD.to_owned()).or_default() += count;
            }
        }
    }

    /// True if nothing was counted that fails a verdict.
    pub(super) fn has_no_defect(&self) -> bool {
        self.misses() == 0 && self.reasons.lock().defects.is_empty()
    }

    /// True if recorded secrets were forgotten.
    pub(super) fn has_forgotten_secrets(&self) -> bool {
        let reasons = self.reasons.lock();
        let secrets = reasons.defects.get(&Defect::Secret);
        secrets.is_some_and(|counts| counts.contains_key(FORGOTTEN_SECRETS))
    }

    /// True if nothing was counted.
    pub fn is_empty(&self) -> bool {
        let counts = self.hits() + self.misses() + self.recorded() + self.recorded_failures();
        counts == 0 && *self.reasons.lock() == ReasonCounts::default()
    }

    /// Requests answered from the cassette.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Hits that repeated the last exchange of a key.
    pub fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }

    /// Hits in which secrets stand for others.
    pub fn renamed(&self) -> u64 {
        self.renamed.load(Ordering::Relaxed)
    }

    /// Requests not found in the cassette.
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// Exchanges recorded as failed.
    pub fn recorded_failures(&self) -> u64 {
        self.recorded_failures.load(Ordering::Relaxed)
    }

    /// Exchanges recorded that did not fail.
    pub fn recorded(&self) -> u64 {
        self.recorded.load(Ordering::Relaxed)
    }

    /// The counts by reason.
    pub fn reasons(&self) -> ReasonCounts {
        self.reasons.lock().clone()
    }

    fn add_defect(&self, defect: Defect, reason: String, times: u64) -> u64 {
        self.add(
            |reasons| reasons.defects.entry(defect).or_default(),
            reason,
            times,
        )
    }

    fn add(
        &self,
        select: impl FnOnce(&mut ReasonCounts) -> &mut BTreeMap<String, u64>,
        reason: String,
        times: u64,
    ) -> u64 {
        let mut reasons = self.reasons.lock();
        add_bounded(select(&mut reasons), reason, times)
    }
}

impl ReasonCounts {
    /// The counts of each kind.
    fn all_mut(&mut self) -> impl Iterator<Item = &mut BTreeMap<String, u64>> {
        let others = [&mut self.skipped, &mut self.redactions, &mut self.renamings];
        self.defects.values_mut().chain(others)
    }
}

/// Adds all counts of another map.
fn add_each(counts: &mut BTreeMap<String, u64>, others: BTreeMap<String, u64>) {
    for (reason, times) in others {
        add_bounded(counts, reason, times);
    }
}

/// Adds a count. Returns the sum of its reason.
fn add_bounded(counts: &mut BTreeMap<String, u64>, reason: String, times: u64) -> u64 {
    let has_room = counts.contains_key(&reason) || counts.len() < MAX_REASONS;
    let reason = if has_room { reason } else { "other".to_owned() };
    let count = counts.entry(reason).or_default();
    *count += times;
    *count
}

/// Stands for a text that contains a secret.
pub(super) const WITHHELD: &str = "(withheld: contains a secret)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_reasons_are_bounded() {
        let counters = Counters::default();
        for number in 0..200 {
            counters.count(Outcome::Skipped(format!("reason {number}")));
        }
        let reasons = counters.reasons();
        assert_eq!(reasons.skipped.len(), MAX_REASONS + 1);
        assert_eq!(reasons.skipped["other"], 200 - MAX_REASONS as u64);
    }
}
