//! The state of a session's cassette in this process.

use std::sync::Arc;

use super::entry::Entry;
use ouli_matching::miss::{DamagedExchange, Unavailable};

/// What was done with the cassette so far.
#[derive(Clone, Debug, Default)]
pub(super) struct CassetteState {
    pub(super) load: LoadState,
    /// The edited exchanges that are not replayed (`strict`), for the reports of misses.
    pub(super) refused: Vec<Arc<Entry>>,
}

/// Whether the cassette was read.
#[derive(Clone, Debug, Default)]
pub(super) enum LoadState {
    #[default]
    NotLoaded,
    /// It was read, or it does not exist.
    Loaded(LoadReport),
    /// It cannot be used; why.
    Failed(String),
}

/// What was found in a cassette besides its exchanges.
#[derive(Clone, Debug, Default)]
pub(super) struct LoadReport {
    /// Parts that cannot be read, a line each.
    pub(super) damage: Vec<String>,
    /// Where these parts are.
    pub(super) damaged: Vec<DamagedExchange>,
    /// Ordinals of the exchanges that were edited.
    pub(super) edited: Vec<u64>,
    /// The edited exchanges are not replayed.
    pub(super) refuses_edited: bool,
    /// There was no file.
    pub(super) is_missing: bool,
}

impl CassetteState {
    /// What was found; empty unless the cassette was read. A cassette that cannot be used is
    /// damaged as a whole.
    pub(super) fn report(&self) -> LoadReport {
        match &self.load {
            LoadState::Loaded(report) => report.clone(),
            LoadState::NotLoaded => LoadReport::default(),
            LoadState::Failed(reason) => LoadReport {
                damage: vec![reason.clone()],
                ..LoadReport::default()
            },
        }
    }
}

impl LoadReport {
    /// The report on a cassette that does not exist.
    pub(super) fn missing() -> Self {
        Self {
            is_missing: true,
            ..Self::default()
        }
    }

    /// Why exchanges of the cassette are not replayed, as one line; `None` if all are.
    pub(super) fn withheld(&self) -> Option<String> {
        let mut reasons = self.damage.clone();
        if self.refuses_edited && !self.edited.is_empty() {
            reasons.push(format!(
                "exchanges {:?} were edited (strict; `ouli-gateway cassette accept` accepts edits)",
                self.edited
            ));
        }
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// The exchanges that are not replayed.
    pub(super) fn unavailable(&self) -> Unavailable {
        Unavailable {
            damaged: self.damaged.clone(),
            edited: match self.refuses_edited {
                true => self.edited.clone(),
                false => Vec::new(),
            },
            uncompared: 0,
        }
    }
}
