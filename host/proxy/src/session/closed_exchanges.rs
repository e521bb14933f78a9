//! What stays in memory of the exchanges of a session that is closed.

use super::cassette_state::LoadReport;
use super::entry::Entry;
use super::replay_marks::ReplayMarks;
use super::uses::Uses;

/// What is known of a session's exchanges until its cassette is read again.
#[derive(Clone, Debug, Default)]
pub(super) struct ClosedExchanges {
    pub(super) marks: ReplayMarks,
    /// Number of exchanges.
    pub(super) count: usize,
    /// The exchanges that were not replayed in this run.
    pub(super) unused: Vec<UnusedExchange>,
    pub(super) report: LoadReport,
}

impl ClosedExchanges {
    /// What is known at the start of the next run.
    pub(super) fn of_next_run(&self) -> Self {
        Self {
            marks: self.marks.of_next_run(),
            ..self.clone()
        }
    }
}

/// An exchange that was not replayed in a run.
#[derive(Clone, Debug)]
pub(super) struct UnusedExchange {
    /// Its number, method and target.
    pub(super) line: String,
    /// It was not replayed in any run of this process.
    pub(super) in_all_runs: bool,
}

impl UnusedExchange {
    pub(super) fn of(entry: &Entry, uses: &Uses) -> Option<Self> {
        (!uses.is_used(entry)).then(|| Self {
            line: Self::line_of(entry),
            in_all_runs: !entry.is_used_in_any_run(),
        })
    }

    pub(super) fn line_of(entry: &Entry) -> String {
        format!("exchange {} {}", entry.ordinal, entry.request_line())
    }
}
