//! What a request can reach: the live generation, the sessions, the recorder and this worker's
//! upstream clients.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ExchangeError;
use crate::config::{Config, Mode, Upstream as Address};
use crate::drain::Drain;
use crate::exchange::redaction::Guard;
use crate::plugin::Plugins;
use crate::session::{Budget, Index, Recorder, Session, Sessions};
use crate::upstream::{self, Upstream};

/// How long a request waits for its turn before it is refused.
const TURN: Duration = Duration::from_secs(1);

/// One generation of everything that can be reloaded. Immutable but for indexes, which are made
/// when first needed.
pub struct Snapshot {
    /// Counts up with each reload.
    pub generation: u64,
    /// The configuration.
    pub config: Arc<Config>,
    /// The plugins.
    pub plugins: Arc<Plugins>,
    /// The last look before the disk.
    pub guard: Arc<Guard>,
    /// The endpoints by name.
    pub endpoints: HashMap<Arc<str>, Arc<Endpoint>>,
    /// An index for each session that was replayed from.
    pub indexes: RwLock<HashMap<Arc<str>, Arc<Index>>>,
}

/// An endpoint as requests need it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its name.
    pub name: Arc<str>,
    /// What is done with its requests.
    pub mode: Mode,
    /// The session of a request that names none.
    pub session: Arc<str>,
    /// Where its requests go, and the TLS that is used for that.
    pub upstream: Option<(Address, Option<Arc<rustls::ClientConfig>>)>,
    /// Host and port of the upstream; empty without one.
    pub authority: String,
    /// The upstream gets the client's `host`.
    pub preserve_host: bool,
}

/// What outlives reloads, shared by all workers.
pub struct Live {
    /// The generation in force.
    pub snapshot: ArcSwap<Snapshot>,
    /// The sessions.
    pub sessions: Arc<Sessions>,
    /// The way to the cassettes.
    pub recorder: Recorder,
    /// Bytes held for recording.
    pub budget: Budget,
    /// Turns for requests (`limits.in_flight`).
    pub turns: Arc<Semaphore>,
    /// Who must finish before the process ends.
    pub drain: Drain,
}

/// Clients of one worker. Each worker has its own, so that no connection is shared between threads.
#[derive(Default)]
pub struct Upstreams(Mutex<HashMap<Address, Upstream>>);

/// What one listener of one worker answers with.
#[derive(Clone)]
pub struct Gate {
    /// Name of the endpoint.
    pub endpoint: Arc<str>,
    /// What all workers share.
    pub live: Arc<Live>,
    /// This worker's clients.
    pub upstreams: Arc<Upstreams>,
}

/// One request's surroundings.
pub(super) struct Asked<'a> {
    pub(super) gate: &'a Gate,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) session: Arc<Session>,
    /// Path and query, without a session's prefix.
    pub(super) target: String,
}

impl Snapshot {
    pub(super) fn endpoint(&self, name: &str) -> Result<Arc<Endpoint>, ExchangeError> {
        let endpoint = self.endpoints.get(name).cloned();
        endpoint.ok_or_else(|| ExchangeError::NoEndpoint(name.to_owned()))
    }

    /// The sessions that have an index.
    pub fn indexed(&self) -> Vec<Arc<str>> {
        let indexes = self.indexes.read().unwrap_or_else(PoisonError::into_inner);
        indexes.keys().cloned().collect()
    }

    /// The index of a session where it was made.
    pub fn index(&self, session: &str) -> Option<Arc<Index>> {
        let indexes = self.indexes.read().unwrap_or_else(PoisonError::into_inner);
        indexes.get(session).cloned()
    }

    /// The index of a session, made now where there is none: reads the cassette and derives all
    /// keys.
    pub fn make_index(
        &self,
        sessions: &Sessions,
        session: &Arc<Session>,
    ) -> Result<Arc<Index>, ExchangeError> {
        sessions.load(session, self.config.strict)?;
        let mut indexes = self.indexes.write().unwrap_or_else(PoisonError::into_inner);
        let index = indexes
            .entry(Arc::clone(session.name()))
            .or_insert_with(|| {
                Arc::new(Index::build(
                    Arc::clone(session),
                    Arc::clone(&self.plugins),
                    Arc::clone(sessions.folder()),
                ))
            });
        Ok(Arc::clone(index))
    }
}

impl Live {
    /// A turn for one request, at once or after a bounded wait.
    pub(super) async fn permit(&self) -> Result<OwnedSemaphorePermit, ExchangeError> {
        let turns = Arc::clone(&self.turns);
        if let Ok(permit) = Arc::clone(&turns).try_acquire_owned() {
            return Ok(permit);
        }
        match tokio::time::timeout(TURN, turns.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(ExchangeError::Busy),
        }
    }
}

impl Upstreams {
    /// The client for an upstream, made at its first use.
    pub(super) fn client(
        &self,
        address: &Address,
        tls: Option<&Arc<rustls::ClientConfig>>,
        bounds: &upstream::Bounds,
    ) -> Upstream {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(address) {
            return client.clone();
        }
        let client = Upstream::new(address, tls.cloned(), bounds);
        clients.insert(address.clone(), client.clone());
        client
    }

    /// Forgets all clients, so that the next requests see new settings. Requests at work keep
    /// theirs.
    pub fn forget(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

impl Asked<'_> {
    /// The index of this request's session. A session that is replayed for the first time is read
    /// off the serving threads.
    pub(super) async fn index(&self) -> Result<Arc<Index>, ExchangeError> {
        if let Some(index) = self.snapshot.index(self.session.name()) {
            return Ok(index);
        }
        let (snapshot, session) = (Arc::clone(&self.snapshot), Arc::clone(&self.session));
        let sessions = Arc::clone(&self.gate.live.sessions);
        let made = tokio::task::spawn_blocking(move || snapshot.make_index(&sessions, &session));
        made.await
            .map_err(|error| ExchangeError::Gateway(error.to_string()))?
    }
}
