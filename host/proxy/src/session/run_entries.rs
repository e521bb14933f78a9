//! The exchanges of one run of a session, and the runs that an exchange is passed on to.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::entry::Entry;
use super::replayable_entries::ReplayableEntries;
use super::uses::Uses;
use ouli_cassette::start_order;

/// The exchanges of one run.
pub(super) struct RunEntries {
    run: u64,
    version: u64,
    replayable: Arc<ReplayableEntries>,
    /// What was replayed of them in the run.
    uses: Arc<Uses>,
    /// The exchanges that the run recorded. They are replayed to later runs only.
    recorded: Mutex<Vec<Arc<Entry>>>,
    /// Those that the run recorded and that did not fit in the memory.
    unkept: Mutex<Unkept>,
}

/// Exchanges that are in the cassette alone: all that a run recorded from the first one on.
#[derive(Default)]
struct Unkept {
    from: Option<u64>,
    count: usize,
}

/// The sessions of one name that are in use: the latest one, and those of requests in flight. While
/// it is locked, no exchange is passed on.
#[derive(Default)]
pub(super) struct Lineage {
    latest: u64,
    live: Vec<Weak<RunEntries>>,
}

impl RunEntries {
    pub(super) fn new(
        (run, version): (u64, u64),
        (replayable, replays): (Arc<ReplayableEntries>, HashMap<u64, u64>),
        recorded: Vec<Arc<Entry>>,
    ) -> Self {
        Self {
            run,
            version,
            replayable,
            uses: Arc::new(Uses::new(run, replays)),
            recorded: Mutex::new(recorded),
            unkept: Mutex::default(),
        }
    }

    /// Increases from one session of a name to the next.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The exchanges that can be replayed, with those that later runs alone can replay.
    pub(super) fn replayable(&self) -> &Arc<ReplayableEntries> {
        &self.replayable
    }

    /// What was replayed in the run.
    pub(super) fn uses(&self) -> &Arc<Uses> {
        &self.uses
    }

    /// What a function takes of the exchanges that can be replayed.
    pub(super) fn filter<T>(&self, take: impl FnMut(&Arc<Entry>) -> Option<T>) -> Vec<T> {
        self.replayable.of_run(self.run, take)
    }

    /// The number of exchanges that can be replayed.
    pub(super) fn replayable_count(&self) -> usize {
        self.replayable.count_of_run(self.run)
    }

    pub(super) fn add_replayable(&self, entry: Entry) {
        self.replayable.add(Arc::new(entry));
    }

    /// The exchanges that the run recorded, in the order in which their requests began and with the
    /// numbers that they have in it.
    pub(super) fn recorded(&self) -> Vec<Arc<Entry>> {
        let mut recorded = self.recorded.lock().clone();
        recorded.sort_by_key(|entry| entry.place.number);
        let places: Vec<_> = recorded.iter().map(|entry| entry.place).collect();
        let Some(order) = start_order(&places) else {
            return recorded;
        };
        let sorted = order.into_iter().zip(places);
        let sorted = sorted.map(|(at, place)| recorded[at].renumbered(place.number));
        sorted.map(Arc::new).collect()
    }

    /// The number of exchanges that the run recorded.
    pub(super) fn recorded_count(&self) -> usize {
        self.recorded.lock().len() + self.unkept.lock().count
    }

    /// An exchange that the run recorded is not kept, nor are those that follow.
    pub(super) fn leave_out(&self, ordinal: u64) {
        let mut unkept = self.unkept.lock();
        unkept.from = Some(unkept.from.map_or(ordinal, |from| from.min(ordinal)));
        unkept.count += 1;
    }

    /// The number from which on the run recorded all exchanges, if some of them are not kept. The
    /// order of their requests is known once the cassette is read.
    pub(super) fn unkept_from(&self) -> Option<u64> {
        let unkept = self.unkept.lock().from?;
        let recorded = self.recorded.lock();
        let kept = recorded.iter().map(|entry| entry.place.number);
        Some(kept.min().map_or(unkept, |kept| kept.min(unkept)))
    }

    /// True if an exchange of the run is not kept.
    pub(super) fn has_unkept(&self) -> bool {
        self.unkept.lock().from.is_some()
    }

    /// True if the run recorded this exchange and does not keep it.
    pub(super) fn is_unkept(&self, ordinal: u64) -> bool {
        self.unkept_from().is_some_and(|from| from <= ordinal)
    }

    /// The numbers of the exchanges that the run recorded.
    pub(super) fn recorded_ordinals(&self) -> HashSet<u64> {
        self.recorded.lock().iter().map(|it| it.ordinal).collect()
    }

    /// Adds an exchange that the run recorded before its session was closed.
    pub(super) fn add_recorded(&self, entry: Entry) {
        let entry = entry.recorded_by(self.run);
        self.recorded.lock().push(Arc::new(entry));
    }

    /// Takes an exchange that `run` recorded.
    fn accept(&self, entry: &Arc<Entry>, run: u64) {
        if run == self.run {
            self.recorded.lock().push(Arc::clone(entry));
            return;
        }
        self.replayable.add(Arc::clone(entry));
    }
}

impl Lineage {
    /// True unless a later session has replaced these entries.
    pub(super) fn is_latest(&self, entries: &RunEntries) -> bool {
        self.latest == entries.version
    }

    /// These entries are the latest from now on.
    pub(super) fn begin(&mut self, entries: &Arc<RunEntries>) {
        self.latest = entries.version;
        self.live.retain(|it| it.strong_count() > 0);
        self.live.push(Arc::downgrade(entries));
    }

    /// The number of sessions that are known.
    #[cfg(test)]
    pub(super) fn live_count(&self) -> usize {
        self.live.len()
    }

    /// Passes an exchange that was recorded in the run of `entries` to that run and to all later
    /// ones, because requests of each may be in flight.
    pub(super) fn pass_on(&self, entries: &RunEntries, entry: &Arc<Entry>) {
        for live in self.live.iter().filter_map(Weak::upgrade) {
            if live.version >= entries.version {
                live.accept(entry, entries.run);
            }
        }
    }
}
