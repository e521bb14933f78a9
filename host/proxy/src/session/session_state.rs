//! The state of one session.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::OwnedMutexGuard;

use super::all_runs::AllRuns;
use super::answered_calls::AnsweredCalls;
use super::bindings::Bindings;
use super::cassette_state::{CassetteState, LoadReport};
use super::closed_exchanges::ClosedExchanges;
use super::counters::Counters;
use super::entry::Entry;
use super::forgotten_session::ForgottenSession;
use super::log_throttle::LogThrottle;
use super::pending_redactions::UnredactedExchange;
use super::pending_writes::{PendingKey, UnwrittenCount, UnwrittenExchange};
use super::replayable_entries::ReplayableEntries;
use super::run_entries::RunEntries;
use super::session_memory::SessionMemory;
use ouli_cassette::StartOrder;
use ouli_matching::key::IdentityUse;
use ouli_redaction::Secrets;

/// One run of a session. It outlives reloads of the configuration and the plugins. A mark, and a
/// cassette that was edited, replace it by another one, with which new requests begin.
pub struct Session {
    name: Arc<str>,
    pub(super) all_runs: Arc<AllRuns>,
    run: Run,
    pub(super) entries: Arc<RunEntries>,
    /// Held while the cassette is read, so that it is read once.
    loading: Mutex<()>,
    cassette: Mutex<CassetteState>,
    /// What is known of the exchanges if it was closed.
    pub(super) closed: Option<ClosedExchanges>,
    /// The references of complete exchanges to this session.
    recorder_handles: AtomicUsize,
}

/// A run, which several sessions belong to one after the other if the cassette is edited.
#[derive(Clone)]
pub(super) struct Run {
    /// From 1.
    pub(super) number: u64,
    counters: Arc<Counters>,
    unwritten: Arc<UnwrittenCount>,
    /// Which secrets stand for which recorded ones.
    bindings: Arc<Mutex<Bindings>>,
    /// The calls that a stream answers.
    answered_calls: Arc<AnsweredCalls>,
    start_order: Arc<StartOrder>,
}

impl Run {
    pub(super) fn new(number: u64, all_runs: &AllRuns) -> Self {
        Self {
            number,
            counters: Arc::new(Counters::of_run(&all_runs.total)),
            unwritten: Arc::default(),
            bindings: Arc::default(),
            answered_calls: Arc::default(),
            start_order: Arc::default(),
        }
    }
}

/// The exchanges and the cassette that a session starts with.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) entries: Arc<ReplayableEntries>,
    /// The replays of this run, by the numbers of the exchanges.
    pub(super) replays: HashMap<u64, u64>,
    pub(super) recorded: Vec<Arc<Entry>>,
    pub(super) cassette: CassetteState,
    pub(super) closed: Option<ClosedExchanges>,
}

impl Session {
    pub(super) fn new(name: Arc<str>, secrets: Secrets, memory: Arc<SessionMemory>) -> Self {
        Self::first(name, AllRuns::new(secrets, memory), 1)
    }

    /// A session that was forgotten. It goes on with the cassette that it began.
    pub(super) fn again(
        name: Arc<str>,
        secrets: Secrets,
        memory: Arc<SessionMemory>,
        trace: ForgottenSession,
    ) -> Self {
        let mut all_runs = AllRuns::new(secrets, memory);
        *all_runs.rotated_by.get_mut() = trace.rotated_by;
        all_runs.lost_secrets = trace.lost_secrets;
        *all_runs.had_request.get_mut() = true;
        Self::first(name, all_runs, trace.run)
    }

    fn first(name: Arc<str>, all_runs: AllRuns, run: u64) -> Self {
        let all_runs = Arc::new(all_runs);
        let run = Run::new(run, &all_runs);
        let session = Self::start(name, all_runs, run, Contents::default());
        session.all_runs.lineage.lock().begin(&session.entries);
        session
    }

    /// A session of this run with these contents.
    pub(super) fn start(
        name: Arc<str>,
        all_runs: Arc<AllRuns>,
        run: Run,
        contents: Contents,
    ) -> Self {
        static VERSIONS: AtomicU64 = AtomicU64::new(1);
        let version = VERSIONS.fetch_add(1, Ordering::Relaxed);
        let replayable = (contents.entries, contents.replays);
        let entries = RunEntries::new((run.number, version), replayable, contents.recorded);
        Self {
            name,
            all_runs,
            run,
            entries: Arc::new(entries),
            loading: Mutex::default(),
            cassette: Mutex::new(contents.cassette),
            closed: contents.closed,
            recorder_handles: AtomicUsize::default(),
        }
    }

    /// A session that stands for several, to report on.
    pub(super) fn sum(
        name: Arc<str>,
        total: Arc<Counters>,
        exchanges: ClosedExchanges,
        damage: Vec<String>,
    ) -> Self {
        let all_runs = Arc::new(AllRuns::with_total(Secrets::default(), total));
        all_runs.keep_damage(damage);
        let run = Run::new(1, &all_runs);
        let contents = Contents {
            closed: Some(exchanges),
            ..Contents::default()
        };
        Self::start(name, all_runs, run, contents)
    }

    /// The name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The secrets that were found in its exchanges.
    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.all_runs.secrets
    }

    /// The number of the run, from 1.
    pub fn run(&self) -> u64 {
        self.run.number
    }

    /// The run itself, for another session that belongs to it.
    pub(super) fn same_run(&self) -> Run {
        self.run.clone()
    }

    /// Increases whenever the session is replaced.
    pub(crate) fn version(&self) -> u64 {
        self.entries.version()
    }

    /// The counters of this run.
    pub fn counters(&self) -> &Counters {
        &self.run.counters
    }

    /// Which secrets of this run stand for which recorded ones.
    pub(super) fn bindings(&self) -> &Mutex<Bindings> {
        &self.run.bindings
    }

    /// The calls of this run that a stream answers.
    pub(crate) fn answered_calls(&self) -> &Arc<AnsweredCalls> {
        &self.run.answered_calls
    }

    /// True if a value that a client made up stands for a recorded one.
    pub(crate) fn renames_minted(&self) -> bool {
        self.bindings().lock().renames_minted()
    }

    /// Counts a hit in which values of its exchange alone stand for others, unless it is counted
    /// already because of these.
    pub(crate) fn count_renamed_values(&self, identities: &[IdentityUse]) {
        let bindings = self.bindings().lock();
        let is_counted = identities
            .iter()
            .any(|it| bindings.renames(&it.identity, self.secrets()));
        drop(bindings);
        if !is_counted {
            self.counters().count_renamed();
        }
    }

    /// The value of this run that stands for a recorded one that a client made up.
    pub(crate) fn own_value(&self, recorded: &Arc<str>) -> Option<Arc<str>> {
        self.bindings().lock().value_for(recorded)
    }

    /// The recorded value for which one that a client of this run made up stands.
    pub(super) fn recorded_value(&self, own: &Arc<str>) -> Option<Arc<str>> {
        self.bindings().lock().recorded_for(own)
    }

    /// The counters of all runs.
    pub fn total_counters(&self) -> &Counters {
        &self.all_runs.total
    }

    pub(super) fn log_throttle(&self) -> &LogThrottle {
        &self.all_runs.log_throttle
    }

    /// The turn to build an index of the session.
    pub(crate) async fn index_turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.all_runs.index_turn).lock_owned().await
    }

    /// Held while the cassette is read.
    pub(super) fn lock_loading(&self) -> MutexGuard<'_, ()> {
        self.loading.lock()
    }

    /// The state of the cassette. It is not locked while the disk is waited for.
    pub(super) fn lock_cassette(&self) -> MutexGuard<'_, CassetteState> {
        self.cassette.lock()
    }

    /// A request selects the session at this time.
    pub(super) fn use_at(&self, now: Duration) {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        self.all_runs.last_used.fetch_max(nanos, Ordering::Relaxed);
    }

    /// A request selected the session, so a mark ends its run.
    pub(crate) fn note_request(&self) {
        self.all_runs.had_request.store(true, Ordering::Relaxed);
    }

    /// When a request selected the session last.
    pub(super) fn last_used(&self) -> Duration {
        Duration::from_nanos(self.all_runs.last_used.load(Ordering::Relaxed))
    }

    /// True if an exchange of any run is complete and there is no verdict on it yet.
    pub(super) fn has_unwritten(&self) -> bool {
        self.all_runs.unwritten.is_any()
    }

    pub(super) fn count_recorder_handle(&self) {
        self.recorder_handles.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn discount_recorder_handle(&self) {
        self.recorder_handles.fetch_sub(1, Ordering::AcqRel);
    }

    /// The references of complete exchanges to this session.
    pub(super) fn recorder_handles(&self) -> usize {
        self.recorder_handles.load(Ordering::Acquire)
    }

    /// What was found in the cassette when it was read last.
    pub(super) fn load_report(&self) -> LoadReport {
        match self.closed_exchanges() {
            Some(closed) => closed.report.clone(),
            None => self.lock_cassette().report(),
        }
    }

    /// Held while an index of the session is built.
    pub(crate) fn lock_index_build(&self) -> MutexGuard<'_, ()> {
        self.all_runs.index_build.lock()
    }

    /// The exchanges that can be replayed.
    pub(super) fn replayable(&self) -> Vec<Arc<Entry>> {
        self.entries.filter(|entry| Some(Arc::clone(entry)))
    }

    /// The exchanges that any run can replay, from a position on.
    pub(super) fn replayable_from(&self, from: usize) -> Vec<Arc<Entry>> {
        self.entries.replayable().all_from(from)
    }

    /// Number of exchanges that can be replayed.
    pub fn len(&self) -> usize {
        self.entries.replayable_count()
    }

    /// True if there are no exchanges.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The upstreams that its exchanges were recorded from, as host and port.
    pub(crate) fn authorities(&self) -> BTreeSet<String> {
        self.entries.replayable().authorities()
    }

    pub(super) fn add(&self, entry: Entry) {
        self.entries.add_replayable(entry);
    }

    /// An exchange is complete, and the verdict on it comes later.
    pub fn unwritten_exchange(&self) -> UnwrittenExchange {
        let counts = [&self.run.unwritten, &self.all_runs.unwritten];
        UnwrittenExchange::new(counts.map(Arc::clone))
    }

    /// An exchange is complete, and its secrets become known later.
    pub fn unredacted_exchange(&self) -> UnredactedExchange {
        self.all_runs.redactions.begin()
    }

    /// Waits until the secrets of the exchanges are known that are complete now. A client can only
    /// send what a response told it after that response was complete.
    pub(crate) async fn wait_until_redacted(&self) {
        self.all_runs.redactions.wait_for_complete().await;
    }

    /// The order in which the requests of this run began.
    pub(crate) fn start_order(&self) -> &Arc<StartOrder> {
        &self.run.start_order
    }

    /// The number of complete exchanges of all runs on which there is no verdict yet.
    pub(super) fn unwritten_count(&self) -> u64 {
        self.all_runs.unwritten.count()
    }

    /// Waits until there is a verdict on each complete exchange.
    pub async fn wait_for_writes(&self) {
        self.run.unwritten.wait_for_none().await;
    }

    /// The exchange with this key is being written to the cassette, until the returned value is
    /// dropped.
    pub fn begin_writing(&self, key: u128) -> PendingKey {
        self.all_runs.writes.begin(key, self.run())
    }

    /// Waits while an earlier run's exchange with this key is being written, so that a client that
    /// repeats a request right after a mark gets a hit.
    pub async fn wait_until_written(&self, key: u128) {
        self.all_runs.writes.wait_for_earlier(key, self.run()).await;
    }
}
