//! The runs of a session: a mark begins the next one, and a cassette that was edited is read again
//! within one.
//!
//! Each is a session of its own. A request keeps the one with which it began, so it is counted and
//! replayed there, and an exchange that ends later is passed on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::cassette_state::{CassetteState, LoadState};
use super::entry::Entry;
use super::session_state::{Contents, Run, Session};
use ouli_cassette::LoadedCassette;

impl Session {
    /// Begins the next run: no exchange is replayed yet, those that this run recorded can be, and
    /// the counters are zero. Returns the same session if it was called before.
    pub(super) fn next_run(&self) -> Arc<Self> {
        let mut succession = self.succession.lock();
        if let Some(next) = succession.next.clone() {
            drop(succession);
            // The cassette was edited within the run.
            let is_same_run = next.run() == self.run();
            return if is_same_run { next.next_run() } else { next };
        }
        self.all_runs.keep_damage(self.damage());
        let rewound = |entry: &Arc<Entry>| Arc::new(entry.rewound());
        let mut entries: Vec<_> = self.entries_from(0).iter().map(rewound).collect();
        let known: HashSet<u64> = entries.iter().map(|it| it.ordinal).collect();
        let recorded = succession.recorded.iter();
        let new = recorded.filter(|it| !known.contains(&it.ordinal));
        entries.extend(new.map(rewound));
        let cassette = match &self.lock_cassette().load {
            loaded @ LoadState::Loaded(_) => CassetteState {
                load: loaded.clone(),
            },
            // It is read again.
            LoadState::NotLoaded | LoadState::Failed(_) => CassetteState::default(),
        };
        let contents = Contents {
            entries,
            recorded: Vec::new(),
            cassette,
        };
        let run = Run::new(self.run() + 1, &self.all_runs);
        let mut next = self.replacement(run, contents);
        next.rewound_from = Some(self.version());
        let next = Arc::new(next);
        succession.next = Some(Arc::clone(&next));
        next
    }

    /// The same run with a cassette that was read again. The replays of exchanges that are still
    /// there continue. `None` if the session was replaced in the meantime, or unless `is_current`:
    /// what was recorded since the cassette was read would be lost.
    pub(super) fn with_cassette(
        &self,
        loaded: LoadedCassette,
        strict: bool,
        is_current: impl FnOnce() -> bool,
    ) -> Option<Arc<Self>> {
        let mut succession = self.succession.lock();
        if succession.next.is_some() || !is_current() {
            return None;
        }
        let report = self.report_on(&loaded, strict);
        let before = self.entries_from(0);
        let before: HashMap<u64, &Arc<Entry>> = before.iter().map(|it| (it.ordinal, it)).collect();
        let own: HashSet<u64> = succession.recorded.iter().map(|it| it.ordinal).collect();
        let (mut entries, mut recorded) = (Vec::new(), Vec::new());
        for found in loaded.exchanges {
            if found.edited && strict {
                continue;
            }
            if own.contains(&found.ordinal) {
                recorded.push(Arc::new(Entry::just_recorded(
                    found.ordinal,
                    found.exchange,
                )));
                continue;
            }
            let mut entry = Entry::new(found.ordinal, found.exchange);
            if let Some(before) = before.get(&entry.ordinal) {
                entry.continue_replays(before);
            }
            entries.push(Arc::new(entry));
        }
        let contents = Contents {
            entries,
            recorded,
            cassette: CassetteState {
                load: LoadState::Loaded(report),
            },
        };
        let next = Arc::new(self.replacement(self.same_run(), contents));
        succession.next = Some(Arc::clone(&next));
        Some(next)
    }

    /// True if the cassette has the exchanges of this session, those that it recorded included.
    pub(super) fn has_exchanges_of(&self, loaded: &LoadedCassette) -> bool {
        let succession = self.succession.lock();
        let mut known = self.entries_from(0);
        known.extend(succession.recorded.iter().cloned());
        drop(succession);
        known.sort_by_key(|entry| entry.ordinal);
        known.len() == loaded.exchanges.len()
            && known
                .iter()
                .zip(&loaded.exchanges)
                .all(|(known, found)| known.is_equal(found.ordinal, &found.exchange))
    }

    /// Adds an exchange that this run recorded. Later runs can replay it.
    pub(super) fn add_recorded(&self, entry: Entry) {
        self.pass_on(&Arc::new(entry), self.run());
    }

    /// Number of exchanges: those that can be replayed, and those that this run recorded.
    pub(super) fn exchange_count(&self) -> usize {
        self.len() + self.succession.lock().recorded.len()
    }

    /// Adds an exchange that `run` recorded to this session and to those that replaced it: requests
    /// of each may be in flight.
    fn pass_on(&self, entry: &Arc<Entry>, run: u64) {
        let mut succession = self.succession.lock();
        if run == self.run() {
            succession.recorded.push(Arc::clone(entry));
        } else if self.is_loaded() && !self.has_ordinal(entry.ordinal) {
            self.add(entry.rewound());
        }
        let next = succession.next.clone();
        drop(succession);
        if let Some(next) = next {
            next.pass_on(entry, run);
        }
    }

    fn has_ordinal(&self, ordinal: u64) -> bool {
        let entries = self.entries_from(0);
        entries.iter().any(|it| it.ordinal == ordinal)
    }

    fn replacement(&self, run: Run, contents: Contents) -> Self {
        let (name, all_runs) = (Arc::clone(self.name()), Arc::clone(&self.all_runs));
        Self::start(name, all_runs, run, contents)
    }
}
