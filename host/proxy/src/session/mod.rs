//! Sessions: what is recorded under one name, where it stands in replay, and how it went.
//!
//! Joins the cassette and the plugins; the modes above decide what to do with an answer.

mod client_messages;
mod counters;
mod exchange_builder;
mod index;
mod log_throttle;
mod memory_budget;
mod recorder;
mod registry;
mod replay_queue;
mod shadow_comparison;
mod truncated_body;
mod verdict;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::Notify;

pub use client_messages::UnmatchedMessage;
pub use counters::{Counters, Outcome};
pub use exchange_builder::{StreamCapture, StreamKind};
pub use index::{ExhaustedPolicy, Index, LookupResult};
pub use memory_budget::{MemoryBudget, MemoryReservation, MemoryWait};
pub use recorder::{CapturedExchange, QueuePermit, RecordJob, Recorder, RecorderLimits};
pub use registry::{SessionError, Sessions};
pub use replay_queue::{ClaimedEntry, ReplayQueue};
pub use shadow_comparison::{Comparison, Corpus, Differences};
pub use verdict::{SessionReport, Verdict};

use ouli_message::stream::{Message, Protocol, StreamContent};
use ouli_message::{Exchange, Failure, Request, Response, Stream};
use ouli_redaction::Secrets;

/// One recorded exchange and how often it was replayed.
#[derive(Debug)]
pub struct Entry {
    /// Its number in the cassette, from 1.
    pub ordinal: u64,
    /// Name of the endpoint that took the request.
    pub endpoint: String,
    /// The request, redacted.
    pub request: Arc<Request>,
    /// The response, redacted.
    pub response: Response,
    /// How it came, where it was a stream; redacted.
    pub stream: Option<Stream>,
    /// How it failed, where it did.
    pub failure: Option<Failure>,
    replays: AtomicU64,
}

impl Entry {
    /// An exchange that was never replayed.
    pub fn new(ordinal: u64, exchange: Exchange) -> Self {
        Self {
            ordinal,
            endpoint: exchange.endpoint,
            request: Arc::new(exchange.request),
            response: exchange.response,
            stream: exchange.stream,
            failure: exchange.failure,
            replays: AtomicU64::new(0),
        }
    }

    /// An exchange that was recorded just now. A failed one has been seen by its client, so that
    /// who tries again gets further.
    fn just_recorded(ordinal: u64, exchange: Exchange) -> Self {
        let entry = Self::new(ordinal, exchange);
        if entry.failure.is_some() {
            entry.count_replay();
        }
        entry
    }

    /// Takes the exchange for its first replay; false where somebody has.
    fn claim_first(&self) -> bool {
        self.replays
            .compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    fn count_replay(&self) {
        self.replays.fetch_add(1, Ordering::Relaxed);
    }

    /// It was taken for a client that wants another one.
    fn release(&self) {
        self.replays.fetch_sub(1, Ordering::Relaxed);
    }

    /// The turns of a conversation; none where it is no conversation of this protocol.
    pub fn messages(&self, protocol: Protocol) -> Option<&[Message]> {
        match &self.stream.as_ref()?.content {
            StreamContent::Messages(own, turns) if *own == protocol => Some(turns),
            StreamContent::Messages(..) | StreamContent::Chunks(..) => None,
        }
    }

    /// How it failed, where no response came, not even its head.
    pub fn failure_without_response(&self) -> Option<Failure> {
        self.failure
            .filter(|failure| failure.cause.is_before_response())
    }

    /// True where it was replayed.
    pub fn is_used(&self) -> bool {
        self.replays.load(Ordering::Relaxed) > 0
    }

    /// Method and target, for reports.
    pub fn request_line(&self) -> String {
        format!("{} {}", self.request.method, self.request.target)
    }
}

/// Everything about one session. It outlives configurations and plugins.
pub struct Session {
    name: Arc<str>,
    secrets: Arc<Secrets>,
    counters: Counters,
    entries: RwLock<Vec<Arc<Entry>>>,
    /// Keys of exchanges that are complete but not yet written.
    pending: Mutex<HashSet<u128>>,
    write_finished: Notify,
    cassette_state: Mutex<registry::CassetteState>,
    complaints: log_throttle::LogThrottle,
}

impl Session {
    /// The name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The secrets that were seen in it.
    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// Its counters.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The exchanges from place `from` on.
    fn entries_from(&self, from: usize) -> Vec<Arc<Entry>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.get(from..).unwrap_or_default().to_vec()
    }

    /// How many exchanges there are.
    pub fn len(&self) -> usize {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.len()
    }

    /// True where nothing is recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn add(&self, entry: Entry) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.push(Arc::new(entry));
    }

    /// Notes that an exchange with this key is on its way to the cassette.
    pub fn begin_writing(&self, key: u128) {
        self.lock_pending().insert(key);
    }

    /// Notes that it is written, or never will be.
    pub fn end_writing(&self, key: u128) {
        self.lock_pending().remove(&key);
        self.write_finished.notify_waiters();
    }

    /// Waits while an exchange with this key is on its way to the cassette, so that a client which
    /// repeats a request as soon as it is answered finds the answer recorded.
    pub async fn wait_until_written(&self, key: u128) {
        loop {
            let written = self.write_finished.notified();
            if !self.lock_pending().contains(&key) {
                return;
            }
            written.await;
        }
    }

    fn lock_pending(&self) -> std::sync::MutexGuard<'_, HashSet<u128>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
