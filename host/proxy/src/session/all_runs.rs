//! What all runs of a session share. A run is the process, or what lies between two marks.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::counters::Counters;
use super::log_throttle::LogThrottle;
use super::pending_redactions::PendingRedactions;
use super::pending_writes::{PendingWrites, UnwrittenCount};
use super::run_entries::Lineage;
use super::session_memory::SessionMemory;
use ouli_cassette::FileStamp;
use ouli_redaction::Secrets;

/// Maximum number of damaged parts of earlier runs that are kept for the verdict.
const MAX_DAMAGE: usize = 64;

/// What all runs of a session share.
pub(super) struct AllRuns {
    /// The secrets that were found in its exchanges.
    pub(super) secrets: Arc<Secrets>,
    /// The memory of its exchanges, which all sessions share.
    pub(super) memory: Arc<SessionMemory>,
    /// The memory that the exchanges of the cassette took when it was read last.
    pub(super) memory_needed: Mutex<Option<(FileStamp, usize)>>,
    /// The sum of the counters.
    pub(super) total: Arc<Counters>,
    pub(super) lineage: Mutex<Lineage>,
    pub(super) writes: Arc<PendingWrites>,
    pub(super) redactions: Arc<PendingRedactions>,
    pub(super) unwritten: Arc<UnwrittenCount>,
    pub(super) log_throttle: LogThrottle,
    /// The run that started a new cassette last; 0 if there is none.
    pub(super) rotated_by: AtomicU64,
    /// Held while a new cassette is started or a run is ended. Who holds it waits for the disk, so
    /// only threads that serve nobody wait for it.
    pub(super) rotation: Mutex<()>,
    /// Held while an index of a run is built: the indexes of several runs have the same keys, which
    /// are derived once.
    pub(super) index_build: Mutex<()>,
    /// The turn to build an index, for which no thread waits.
    pub(super) index_turn: Arc<tokio::sync::Mutex<()>>,
    /// It was forgotten and had recorded secrets: it must not record again, since none is known.
    pub(super) lost_secrets: bool,
    /// The state of the cassette when this process read or wrote it last. In any other state it was
    /// changed by another program.
    stamp: Mutex<Option<FileStamp>>,
    /// Why the cassette that was read is not complete.
    pub(super) incomplete: OnceLock<String>,
    /// The damaged parts that were found in earlier runs.
    damage: Mutex<Vec<String>>,
    /// A request selected the session.
    pub(super) had_request: AtomicBool,
    /// When a request selected the session last, in nanoseconds.
    pub(super) last_used: AtomicU64,
}

impl AllRuns {
    pub(super) fn new(secrets: Secrets, memory: Arc<SessionMemory>) -> Self {
        Self {
            memory,
            ..Self::with_total(secrets, Arc::default())
        }
    }

    /// The same with counters that have counted before.
    pub(super) fn with_total(secrets: Secrets, total: Arc<Counters>) -> Self {
        Self {
            secrets: Arc::new(secrets),
            memory: Arc::default(),
            memory_needed: Mutex::default(),
            total,
            lineage: Mutex::default(),
            writes: Arc::default(),
            redactions: Arc::default(),
            unwritten: Arc::default(),
            log_throttle: LogThrottle::default(),
            rotated_by: AtomicU64::default(),
            rotation: Mutex::default(),
            index_build: Mutex::default(),
            index_turn: Arc::default(),
            lost_secrets: false,
            stamp: Mutex::default(),
            incomplete: OnceLock::new(),
            damage: Mutex::default(),
            had_request: AtomicBool::new(false),
            last_used: AtomicU64::default(),
        }
    }

    /// The state of the cassette when this process read or wrote it last.
    pub(super) fn stamp(&self) -> Option<FileStamp> {
        *self.stamp.lock()
    }

    pub(super) fn set_stamp(&self, stamp: Option<FileStamp>) {
        *self.stamp.lock() = stamp;
    }

    /// Sets the stamp of a cassette that was read, unless it was written since: `before` is the
    /// stamp before it was read. Returns true if it was set.
    pub(super) fn replace_stamp(&self, before: Option<FileStamp>, read: Option<FileStamp>) -> bool {
        let mut stamp = self.stamp.lock();
        let is_current = *stamp == before && !self.unwritten.is_any();
        if is_current {
            *stamp = read;
        }
        is_current
    }

    /// Keeps the damage of a run that ends.
    pub(super) fn keep_damage(&self, ended: Vec<String>) {
        let mut damage = self.damage.lock();
        for line in ended {
            if damage.len() < MAX_DAMAGE && !damage.contains(&line) {
                damage.push(line);
            }
        }
    }

    /// The damage of the runs that have ended.
    pub(super) fn kept_damage(&self) -> Vec<String> {
        self.damage.lock().clone()
    }
}
