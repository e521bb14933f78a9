//! The runs of a session: a mark begins the next one, and a cassette that was edited is read again
//! within one.
//!
//! Each is a session of its own. A request keeps the one with which it began, so it is counted and
//! replayed there, and an exchange that ends later is passed on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::cassette_load::refused_entries;
use super::cassette_memory::ReadCassette;
use super::cassette_state::{CassetteState, LoadState};
use super::closed_exchanges::ClosedExchanges;
use super::entry::Entry;
use super::exchange_memory::exchange_bytes;
use super::replayable_entries::ReplayableEntries;
use super::session_state::{Contents, Run, Session};
use ouli_cassette::{LoadedCassette, Place};
use ouli_config::ByteSize;
use ouli_message::Exchange;

impl Session {
    /// Begins the next run: no exchange is replayed yet, those that this run recorded can be, and
    /// the counters are zero. `None` if the session was replaced before.
    pub(super) fn next_run(&self) -> Option<Arc<Self>> {
        let mut lineage = self.all_runs.lineage.lock();
        if !lineage.is_latest(&self.entries) {
            return None;
        }
        self.all_runs.keep_damage(self.damage());
        self.start_order().end();
        let run = Run::new(self.run() + 1, &self.all_runs);
        if let Some(known) = self.exchanges_with_unkept() {
            // The cassette is read again.
            let contents = Contents::of_closed(known.of_next_run());
            let next = self.replacement(run, contents);
            lineage.begin(&next.entries);
            return Some(Arc::new(next));
        }
        // Requests of this run that are in flight are not replayed what it recorded.
        let entries = Arc::clone(self.entries.replayable());
        let recorded = self.entries.recorded().into_iter();
        recorded.for_each(|entry| entries.add(entry));
        let cassette = self.lock_cassette().clone();
        let cassette = match &cassette.load {
            LoadState::Loaded(_) => cassette,
            // It is read again.
            LoadState::NotLoaded | LoadState::Failed(_) => CassetteState::default(),
        };
        let contents = Contents {
            entries,
            replays: HashMap::new(),
            recorded: Vec::new(),
            cassette,
            closed: self.closed_exchanges().map(ClosedExchanges::of_next_run),
        };
        let next = self.replacement(run, contents);
        lineage.begin(&next.entries);
        Some(Arc::new(next))
    }

    /// The same run with a cassette that was read again. The replays of exchanges that are still
    /// there continue. `None` if the session was replaced in the meantime, or unless `is_current`:
    /// what was recorded since the cassette was read would be lost.
    pub(super) fn with_cassette(
        &self,
        read: ReadCassette,
        strict: bool,
        is_current: impl FnOnce() -> bool,
    ) -> Option<Arc<Self>> {
        let mut lineage = self.all_runs.lineage.lock();
        if !lineage.is_latest(&self.entries) || !is_current() {
            return None;
        }
        let report = self.report_on(&read.loaded, strict);
        let refused = refused_entries(&read, strict);
        let ReadCassette { loaded, memory, .. } = read;
        let before = self.replayable();
        let before: HashMap<u64, &Arc<Entry>> = before.iter().map(|it| (it.ordinal, it)).collect();
        let own = self.entries.recorded();
        let own: HashSet<u64> = own.iter().map(|it| it.ordinal).collect();
        let (mut entries, mut recorded) = (Vec::new(), Vec::new());
        let mut replays = HashMap::new();
        for found in loaded.exchanges {
            if found.edited && strict {
                continue;
            }
            if own.contains(&found.ordinal) || self.entries.is_unkept(found.ordinal) {
                let own = Entry::loaded(found, &memory).not_unused();
                recorded.push(Arc::new(own.recorded_by(self.run())));
                continue;
            }
            let mut entry = Entry::loaded(found, &memory);
            if let Some(before) = before.get(&entry.ordinal)
                && entry.continue_replays(before)
            {
                replays.insert(entry.ordinal, self.entries.uses().replays(before));
            }
            entries.push(Arc::new(entry));
        }
        let contents = Contents {
            entries: ReplayableEntries::of(entries),
            replays,
            recorded,
            cassette: CassetteState {
                load: LoadState::Loaded(report),
                refused,
            },
            closed: None,
        };
        let next = self.replacement(self.same_run(), contents);
        lineage.begin(&next.entries);
        Some(Arc::new(next))
    }

    /// True if the cassette has the exchanges of this session, those that it recorded included.
    pub(super) fn has_exchanges_of(&self, loaded: &LoadedCassette) -> bool {
        let mut known = self.replayable();
        known.extend(self.entries.recorded());
        known.sort_by_key(|entry| entry.ordinal);
        known.len() == loaded.exchanges.len()
            && known
                .iter()
                .zip(&loaded.exchanges)
                .all(|(known, found)| known.is_equal(found.ordinal, &found.exchange))
    }

    /// Keeps an exchange that this run recorded, as far as there is memory. Later runs can replay
    /// it.
    pub(super) fn keep_recorded(&self, place: Place, exchange: Exchange) {
        let memory = &self.all_runs.memory;
        let has_room = !self.entries.has_unkept();
        let reserved = has_room.then(|| memory.reserve(exchange_bytes(&exchange)));
        if let Some(Ok(reserved)) = reserved {
            let entry = Entry::just_recorded(place, exchange, reserved);
            return self.add_recorded(entry.recorded_by(self.run()));
        }
        let ordinal = place.number;
        self.entries.leave_out(ordinal);
        if has_room {
            tracing::warn!(
                session = %self.name(),
                "exchange {ordinal} and the next ones are recorded, and not kept in memory: {} is \
                 reached (limits.index_memory); the next run reads the cassette again",
                ByteSize(memory.limit() as u64)
            );
        }
    }

    /// Adds an exchange that this run recorded. Later runs can replay it.
    fn add_recorded(&self, entry: Entry) {
        let lineage = self.all_runs.lineage.lock();
        lineage.pass_on(&self.entries, &Arc::new(entry));
    }

    /// Number of exchanges: those that can be replayed, and those that this run recorded.
    pub(super) fn exchange_count(&self) -> usize {
        match self.closed_exchanges() {
            Some(closed) => closed.count,
            None => self.len() + self.entries.recorded_count(),
        }
    }

    pub(super) fn replacement(&self, run: Run, contents: Contents) -> Self {
        let (name, all_runs) = (Arc::clone(self.name()), Arc::clone(&self.all_runs));
        Self::start(name, all_runs, run, contents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_exchange::exchange;
    use ouli_redaction::Secrets;

    #[test]
    fn a_run_in_flight_passes_its_exchanges_on_and_keeps_no_later_run() {
        let first = Arc::new(Session::new("x".into(), Secrets::default(), Arc::default()));
        let mut latest = Arc::clone(&first);
        let mut held = Vec::new();
        for number in 0..100 {
            latest = latest.next_run().unwrap();
            if number == 50 {
                held.push(Arc::clone(&latest));
            }
        }
        assert!(first.next_run().is_none());
        assert_eq!(latest.run(), 101);
        // The first, the held one, the latest, and the one before it that is not swept yet.
        assert!(first.all_runs.lineage.lock().live_count() <= 4);
        first.keep_recorded(1.into(), exchange());
        assert_eq!((first.len(), held[0].len(), latest.len()), (0, 1, 1));
        assert_eq!(first.exchange_count(), 1);
        // It is replayed once to each run.
        let next = latest.next_run().unwrap();
        assert_eq!(next.len(), 1);
        for run in [&latest, &next] {
            assert!(run.entries.uses().claim_first(&run.replayable()[0]));
        }
    }

    #[test]
    fn counters_start_anew_and_the_total_goes_on() {
        let first = Session::new("x".into(), Secrets::default(), Arc::default());
        first
            .counters()
            .count(crate::session::Outcome::Hit(crate::session::Hit::default()));
        let next = first.next_run().unwrap();
        // A request in flight is counted in its own run.
        first.counters().count(crate::session::Outcome::Miss);
        next.counters()
            .count(crate::session::Outcome::Hit(crate::session::Hit::default()));
        assert_eq!((next.counters().hits(), next.counters().misses()), (1, 0));
        assert_eq!((first.counters().hits(), first.counters().misses()), (1, 1));
        let total = next.total_counters();
        assert_eq!((total.hits(), total.misses()), (2, 1));
    }
}
