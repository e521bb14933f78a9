//! The state of one session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard, RwLock};

use super::all_runs::AllRuns;
use super::cassette_state::CassetteState;
use super::counters::Counters;
use super::entry::Entry;
use super::log_throttle::LogThrottle;
use super::pending_writes::{UnwrittenCount, UnwrittenExchange};
use ouli_redaction::Secrets;

/// One run of a session. It outlives reloads of the configuration and the plugins. A mark, and a
/// cassette that was edited, replace it by another one, with which new requests begin.
pub struct Session {
    name: Arc<str>,
    pub(super) all_runs: Arc<AllRuns>,
    run: Run,
    /// Increases from one replacement to the next.
    version: u64,
    /// The version that this one has the same exchanges as, at the same positions.
    pub(super) rewound_from: Option<u64>,
    entries: RwLock<Vec<Arc<Entry>>>,
    pub(super) succession: Mutex<Succession>,
    cassette: Mutex<CassetteState>,
}

/// A run, which several sessions belong to one after the other if the cassette is edited.
#[derive(Clone)]
pub(super) struct Run {
    /// From 1.
    pub(super) number: u64,
    counters: Arc<Counters>,
    unwritten: Arc<UnwrittenCount>,
}

impl Run {
    pub(super) fn new(number: u64, all_runs: &AllRuns) -> Self {
        Self {
            number,
            counters: Arc::new(Counters::of_run(&all_runs.total)),
            unwritten: Arc::default(),
        }
    }
}

/// What passes to the next run.
#[derive(Default)]
pub(super) struct Succession {
    /// The exchanges that this run recorded. They are replayed to later runs only.
    pub(super) recorded: Vec<Arc<Entry>>,
    /// What this session was replaced by.
    pub(super) next: Option<Arc<Session>>,
}

/// The exchanges and the cassette that a session starts with.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) entries: Vec<Arc<Entry>>,
    pub(super) recorded: Vec<Arc<Entry>>,
    pub(super) cassette: CassetteState,
}

impl Session {
    pub(super) fn new(name: Arc<str>, secrets: Secrets) -> Self {
        let all_runs = Arc::new(AllRuns::new(secrets));
        let run = Run::new(1, &all_runs);
        Self::start(name, all_runs, run, Contents::default())
    }

    /// A session of this run with these contents.
    pub(super) fn start(
        name: Arc<str>,
        all_runs: Arc<AllRuns>,
        run: Run,
        contents: Contents,
    ) -> Self {
        static VERSIONS: AtomicU64 = AtomicU64::new(0);
        Self {
            name,
            all_runs,
            run,
            version: VERSIONS.fetch_add(1, Ordering::Relaxed),
            rewound_from: None,
            entries: RwLock::new(contents.entries),
            succession: Mutex::new(Succession {
                recorded: contents.recorded,
                next: None,
            }),
            cassette: Mutex::new(contents.cassette),
        }
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
        self.version
    }

    /// The version that this one has the same exchanges as, at the same positions.
    pub(crate) fn rewound_from(&self) -> Option<u64> {
        self.rewound_from
    }

    /// The counters of this run.
    pub fn counters(&self) -> &Counters {
        &self.run.counters
    }

    /// The counters of all runs.
    pub fn total_counters(&self) -> &Counters {
        &self.all_runs.total
    }

    pub(super) fn log_throttle(&self) -> &LogThrottle {
        &self.all_runs.log_throttle
    }

    pub(super) fn lock_cassette(&self) -> MutexGuard<'_, CassetteState> {
        self.cassette.lock()
    }

    /// The exchanges from position `from` on.
    pub(super) fn entries_from(&self, from: usize) -> Vec<Arc<Entry>> {
        let entries = self.entries.read();
        entries.get(from..).unwrap_or_default().to_vec()
    }

    /// Number of exchanges that can be replayed.
    pub fn len(&self) -> usize {
        self.entries.read().len()
    }

    /// True if there are no exchanges.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn add(&self, entry: Entry) {
        self.entries.write().push(Arc::new(entry));
    }

    /// An exchange is complete, and the verdict on it comes later.
    pub fn unwritten_exchange(&self) -> UnwrittenExchange {
        let counts = [&self.run.unwritten, &self.all_runs.unwritten];
        UnwrittenExchange::new(counts.map(Arc::clone))
    }

    /// Waits until there is a verdict on each complete exchange.
    pub async fn wait_for_writes(&self) {
        self.run.unwritten.wait_for_none().await;
    }

    /// The exchange with this key is being written to the cassette.
    pub fn begin_writing(&self, key: u128) {
        self.all_runs.writes.begin(key, self.run());
    }

    /// The exchange was written, or will not be.
    pub fn end_writing(&self, key: u128) {
        self.all_runs.writes.end(key, self.run());
    }

    /// Waits while an earlier run's exchange with this key is being written, so that a client that
    /// repeats a request right after a mark gets a hit.
    pub async fn wait_until_written(&self, key: u128) {
        self.all_runs.writes.wait_for_earlier(key, self.run()).await;
    }
}
