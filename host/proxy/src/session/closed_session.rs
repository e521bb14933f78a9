//! Closes a session that nobody uses: its exchanges leave the memory, and what its verdict and its
//! next request need stays.
//!
//! A closed session is a session whose cassette is not read. Its next request reads it, and each
//! exchange continues where it was.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::cassette_state::{CassetteState, LoadReport, LoadState};
use super::closed_exchanges::{ClosedExchanges, UnusedExchange};
use super::entry::Entry;
use super::forgotten_session::ForgottenSession;
use super::replay_marks::ReplayMarks;
use super::session_state::{Contents, Session};

impl Session {
    /// The session that takes the place of this one while nobody uses it. A session whose cassette
    /// was not read holds no exchanges, and stays.
    pub(super) fn to_closed(self: &Arc<Self>) -> Arc<Self> {
        let report = match &self.lock_cassette().load {
            LoadState::NotLoaded => return Arc::clone(self),
            // It is found again, or it is repaired until then.
            LoadState::Failed(_) => LoadReport::default(),
            LoadState::Loaded(report) => report.clone(),
        };
        let exchanges = self.known_exchanges(report);
        self.all_runs.keep_damage(self.damage());
        let run = self.same_run();
        Arc::new(self.replacement(run, Contents::of_closed(exchanges)))
    }

    /// What stays of the exchanges without them.
    fn known_exchanges(&self, report: LoadReport) -> ClosedExchanges {
        let (replayable, recorded) = (self.replayable(), self.entries.recorded());
        let own = (self.entries.unkept_from(), &**self.entries.uses());
        let count = self.len() + self.entries.recorded_count();
        ClosedExchanges {
            marks: ReplayMarks::of(&replayable, &recorded, own),
            count,
            unused: self.unused(),
            report: LoadReport {
                is_missing: report.is_missing && count == 0,
                ..report
            },
        }
    }

    /// What stays of the exchanges if the run recorded some that are not in memory.
    pub(super) fn exchanges_with_unkept(&self) -> Option<ClosedExchanges> {
        match &self.lock_cassette().load {
            LoadState::Loaded(report) if self.entries.has_unkept() => {
                Some(self.known_exchanges(report.clone()))
            }
            LoadState::Loaded(_) | LoadState::NotLoaded | LoadState::Failed(_) => None,
        }
    }

    /// The closed session is in force from now on. False if another run has begun.
    pub(super) fn begin_closed(&self, closed: &Self) -> bool {
        let mut lineage = self.all_runs.lineage.lock();
        let is_latest = lineage.is_latest(&self.entries);
        if is_latest {
            lineage.begin(&closed.entries);
        }
        is_latest
    }

    /// Forgets the secrets that no recording needs, and withholds them in the texts that stay.
    pub(super) fn compact_secrets(&self) {
        let secrets = self.secrets();
        let is_secret = |text: &str| {
            let searcher = secrets.searcher_for(text.len());
            searcher.find_any(text.as_bytes()).is_some()
        };
        self.counters().withhold(is_secret);
        self.total_counters().withhold(is_secret);
        self.secrets().compact();
    }

    /// Forgets what clients made up, but the values that stand for recorded ones. The session is
    /// closed: the recorded values are known again with its exchanges.
    pub(super) fn forget_minted(&self) {
        let bound = self.bindings().lock().minted_values();
        self.secrets().retain_minted(|value| bound.contains(value));
    }

    /// The exchanges that were not replayed, in this run or in all runs: number, method and target
    /// of the first ones, and how many there are.
    pub(super) fn unused_exchanges(
        &self,
        all_runs: bool,
        max_lines: usize,
    ) -> (Vec<String>, usize) {
        if let Some(closed) = self.closed_exchanges() {
            let unused = closed.unused.iter();
            let unused = unused.filter(|it| !all_runs || it.in_all_runs);
            let lines = unused.clone().take(max_lines).map(|it| it.line.clone());
            return (lines.collect(), unused.count());
        }
        let (uses, mut count) = (self.entries.uses(), 0);
        let lines = self.entries.filter(|entry| {
            if uses.is_used(entry) || (all_runs && entry.is_used_in_any_run()) {
                return None;
            }
            count += 1;
            (count <= max_lines).then(|| UnusedExchange::line_of(entry))
        });
        (lines, count)
    }

    /// The exchanges that were not replayed in this run.
    fn unused(&self) -> Vec<UnusedExchange> {
        let uses = self.entries.uses();
        self.entries.filter(|entry| UnusedExchange::of(entry, uses))
    }

    /// Applies the marks of the session to the exchanges of its cassette. Returns those that can be
    /// replayed; those that the run recorded are kept apart.
    pub(super) fn continue_from_marks(&self, loaded: Vec<Entry>) -> Vec<Entry> {
        let Some(closed) = &self.closed else {
            return loaded;
        };
        let mut known = self.entries.recorded_ordinals();
        let mut replayable = Vec::with_capacity(loaded.len());
        for entry in loaded {
            let Some(mark) = closed.marks.get(&entry) else {
                replayable.push(entry);
                continue;
            };
            let entry = entry.not_unused();
            if mark.is_own {
                if known.insert(entry.ordinal) {
                    self.entries.add_recorded(entry);
                }
                continue;
            }
            if mark.is_used {
                self.entries.uses().mark_used(&entry);
            }
            replayable.push(entry);
        }
        replayable
    }

    /// What is known of the exchanges, if the session was closed and its cassette was not read
    /// since.
    pub(super) fn closed_exchanges(&self) -> Option<&ClosedExchanges> {
        self.closed.as_ref().filter(|_| !self.is_loaded())
    }

    /// True if exchanges of it are in memory.
    pub(super) fn holds_exchanges(&self) -> bool {
        self.closed_exchanges().is_none() && self.exchange_count() > 0
    }

    /// True if the session was closed, and its cassette is not read since.
    pub(crate) fn was_closed(&self) -> bool {
        self.closed_exchanges().is_some()
    }

    /// An estimate of the memory of a closed session.
    pub(super) fn closed_bytes(&self) -> usize {
        let closed = self.closed.as_ref();
        let exchanges = closed.map_or(0, |closed| {
            let lines = closed.unused.iter().map(|it| it.line.len() + LINE_BYTES);
            closed.marks.bytes() + lines.sum::<usize>()
        });
        let secrets = self.secrets().len() * SECRET_BYTES + self.secrets().bytes();
        let minted = self.secrets().minted().bytes();
        SESSION_BYTES + 3 * self.name().len() + exchanges + secrets + minted
    }

    /// What stays of the session if it is forgotten.
    pub(super) fn trace(&self) -> ForgottenSession {
        ForgottenSession {
            run: self.run(),
            rotated_by: self.all_runs.rotated_by.load(Ordering::Acquire),
            lost_secrets: self.all_runs.lost_secrets || self.secrets().has_recorded(),
        }
    }

    /// True if nothing is known of the session that its next request needs, or a verdict.
    pub(super) fn is_untouched(&self) -> bool {
        self.exchange_count() == 0
            && self.total_counters().is_empty()
            && self.run() == 1
            && self.all_runs.rotated_by.load(Ordering::Acquire) == 0
            && self.damage_of_all_runs().is_empty()
    }

    /// True if the verdict on it passes under all rules.
    pub(super) fn has_no_defect(&self) -> bool {
        self.total_counters().has_no_defect()
            && self.incomplete().is_none()
            && self.damage_of_all_runs().is_empty()
            && self.edited().is_empty()
            && self.unused_exchanges(true, 0).1 == 0
    }
}

impl Contents {
    pub(super) fn of_closed(exchanges: ClosedExchanges) -> Self {
        Self {
            cassette: CassetteState::default(),
            closed: Some(exchanges),
            ..Self::default()
        }
    }
}

/// The memory of a session without exchanges: its counters and its state.
const SESSION_BYTES: usize = 2048;

/// The memory of a line besides its text.
const LINE_BYTES: usize = size_of::<UnusedExchange>();

/// The memory of a secret besides its value.
const SECRET_BYTES: usize = 256;
