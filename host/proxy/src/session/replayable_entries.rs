//! The exchanges that can be replayed, which all runs of a session share. Those that a run recorded
//! are added when it ends; a run does not replay its own.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use parking_lot::RwLock;

use super::entry::Entry;

/// The exchanges, in the order in which they are replayed.
#[derive(Debug, Default)]
pub(super) struct ReplayableEntries(RwLock<Replayable>);

#[derive(Debug, Default)]
struct Replayable {
    entries: Vec<Arc<Entry>>,
    /// Their numbers.
    ordinals: HashSet<u64>,
    /// The upstreams that they were recorded from, as host and port.
    authorities: BTreeSet<String>,
    /// The last run that recorded one of them.
    last_run: u64,
}

impl ReplayableEntries {
    pub(super) fn of(entries: Vec<Arc<Entry>>) -> Arc<Self> {
        let replayable = Self::default();
        entries.into_iter().for_each(|entry| replayable.add(entry));
        Arc::new(replayable)
    }

    /// Adds an exchange, unless there is one with its number.
    pub(super) fn add(&self, entry: Arc<Entry>) {
        let mut replayable = self.0.write();
        if !replayable.ordinals.insert(entry.ordinal) {
            return;
        }
        let authority = &entry.request.authority;
        if !replayable.authorities.contains(authority) {
            replayable.authorities.insert(authority.clone());
        }
        replayable.last_run = replayable.last_run.max(entry.recorded_in());
        replayable.entries.push(entry);
    }

    /// All exchanges from position `from` on.
    pub(super) fn all_from(&self, from: usize) -> Vec<Arc<Entry>> {
        let replayable = self.0.read();
        let entries = replayable.entries.get(from..);
        entries.unwrap_or_default().to_vec()
    }

    /// The number of all exchanges.
    pub(super) fn len(&self) -> usize {
        self.0.read().entries.len()
    }

    /// Those that this run can replay.
    pub(super) fn of_run<T>(&self, run: u64, take: impl FnMut(&Arc<Entry>) -> Option<T>) -> Vec<T> {
        let replayable = self.0.read();
        let entries = replayable.entries.iter();
        let entries = entries.filter(|it| it.recorded_in() < run);
        entries.filter_map(take).collect()
    }

    /// The number of those that this run can replay.
    pub(super) fn count_of_run(&self, run: u64) -> usize {
        let replayable = self.0.read();
        if replayable.last_run < run {
            return replayable.entries.len();
        }
        let entries = replayable.entries.iter();
        entries.filter(|it| it.recorded_in() < run).count()
    }

    /// The upstreams that the exchanges were recorded from.
    pub(super) fn authorities(&self) -> BTreeSet<String> {
        self.0.read().authorities.clone()
    }
}
