//! The state of one session.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard, RwLock};
use tokio::sync::Notify;

use super::cassette_state::CassetteState;
use super::counters::Counters;
use super::entry::Entry;
use super::log_throttle::LogThrottle;
use ouli_redaction::Secrets;

/// A session. It outlives reloads of the configuration and the plugins.
pub struct Session {
    name: Arc<str>,
    secrets: Arc<Secrets>,
    counters: Counters,
    entries: RwLock<Vec<Arc<Entry>>>,
    /// Keys of exchanges that are complete but not yet written.
    pending: Mutex<HashSet<u128>>,
    write_finished: Notify,
    cassette: Mutex<CassetteState>,
    log_throttle: LogThrottle,
}

impl Session {
    pub(super) fn new(name: Arc<str>, secrets: Secrets) -> Self {
        Self {
            name,
            secrets: Arc::new(secrets),
            counters: Counters::default(),
            entries: RwLock::default(),
            pending: Mutex::default(),
            write_finished: Notify::new(),
            cassette: Mutex::default(),
            log_throttle: LogThrottle::default(),
        }
    }

    /// The name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The secrets that were found in its exchanges.
    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// Its counters.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(super) fn log_throttle(&self) -> &LogThrottle {
        &self.log_throttle
    }

    pub(super) fn lock_cassette(&self) -> MutexGuard<'_, CassetteState> {
        self.cassette.lock()
    }

    /// The exchanges from position `from` on.
    pub(super) fn entries_from(&self, from: usize) -> Vec<Arc<Entry>> {
        let entries = self.entries.read();
        entries.get(from..).unwrap_or_default().to_vec()
    }

    /// Number of exchanges.
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

    /// Marks the exchange with this key as being written to the cassette.
    pub fn begin_writing(&self, key: u128) {
        self.pending.lock().insert(key);
    }

    /// Removes the mark: the exchange was written, or will not be.
    pub fn end_writing(&self, key: u128) {
        self.pending.lock().remove(&key);
        self.write_finished.notify_waiters();
    }

    /// Waits while the exchange with this key is being written, so that a client that repeats a
    /// request right after its response gets a hit.
    pub async fn wait_until_written(&self, key: u128) {
        loop {
            let finished = self.write_finished.notified();
            if !self.pending.lock().contains(&key) {
                return;
            }
            finished.await;
        }
    }
}
