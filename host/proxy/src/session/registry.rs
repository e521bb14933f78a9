//! All sessions of the process.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use tokio::sync::Semaphore;

use super::closed_sessions::{ClosedSessions, Unwritten};
use super::error::{MemoryShortage, SessionError};
use super::indexes::Indexes;
use super::memory_budget::MemoryBudget;
use super::session_memory::SessionMemory;
use super::session_state::Session;
use super::verdict::NOT_WRITTEN_AT_STOP;
use ouli_cassette::{CassetteDir, SessionName, WriteError};
use ouli_config::{Config, Defect, Limits};
use ouli_message::error_chain::error_chain;
use ouli_redaction::{PlaceholderKey, SecretBounds, SecretMemory, Secrets};

/// The share of `limits.sessions` that is closed at once, so that closing costs little per session.
pub(super) const CLOSED_SHARE: usize = 16;

/// The time between two searches for a session that can be closed.
pub(super) const SEARCH_INTERVAL: Duration = Duration::from_millis(10);

/// The sessions by name. They open when they are used. One that nobody uses is closed after a time,
/// or when another one needs its place.
///
/// Locks are taken in the order of the fields.
pub struct Sessions {
    folder: Arc<CassetteDir>,
    secret_bounds: SecretBounds,
    secret_memory: Arc<SecretMemory>,
    /// Secrets that every session knows from the start: name of the rule and value.
    named_secrets: Vec<(String, String)>,
    /// The key that the placeholders follow from, if there is one.
    placeholder_key: Option<PlaceholderKey>,
    /// Time is counted from here.
    pub(super) started: Instant,
    memory: Arc<SessionMemory>,
    /// Of all requests that are only passed through: nothing is recorded or counted in it.
    passthrough: Arc<Session>,
    pub(super) open: RwLock<HashMap<Arc<str>, Arc<Session>>>,
    pub(super) closed: Mutex<ClosedSessions>,
    pub(super) rules: RwLock<Rules>,
    /// Until when no session is looked for that could be closed, because none was found.
    full_until: AtomicU64,
    /// Its permit is the turn of the request that waits for a session first.
    pub(super) opening: Semaphore,
    /// Sessions that are forgotten, and whose cassettes are still open for writing.
    pub(super) forgotten: Mutex<Vec<Arc<str>>>,
    /// Sessions that were closed, and in whose last runs exchanges did not end in the order in
    /// which their requests began.
    pub(super) unordered: Mutex<Vec<Arc<str>>>,
}

/// What a reload changes.
pub(super) struct Rules {
    pub(super) max_open: usize,
    pub(super) max_closed_bytes: usize,
    pub(super) idle_timeout: Duration,
    /// The sessions of endpoints. They stay open.
    pub(super) kept: HashSet<Arc<str>>,
    /// The indexes of the snapshot in force.
    pub(super) indexes: Arc<Indexes>,
}

impl Rules {
    fn new(limits: &Limits) -> Self {
        Self {
            max_open: limits.sessions,
            max_closed_bytes: limits.closed_session_memory,
            idle_timeout: limits.session_idle_timeout,
            kept: HashSet::new(),
            indexes: Arc::default(),
        }
    }
}

impl Sessions {
    /// An empty registry. Cassettes are in `folder`; `named_secrets` are known from the start.
    pub fn new(
        folder: Arc<CassetteDir>,
        limits: &Limits,
        named_secrets: Vec<(String, String)>,
    ) -> Self {
        let secret_bounds = SecretBounds {
            count: limits.secrets_per_session,
            bytes: limits.secret_bytes_per_session,
            fingerprint_bytes: limits.secret_fingerprint_bytes_per_session,
        };
        let secret_memory = Arc::new(SecretMemory::new(limits.secret_memory));
        let secrets = Secrets::in_memory(secret_bounds, &secret_memory);
        register_named(&secrets, &named_secrets);
        let memory = Arc::new(SessionMemory::new(limits));
        Self {
            folder,
            secret_bounds,
            secret_memory,
            named_secrets,
            placeholder_key: None,
            started: Instant::now(),
            passthrough: Arc::new(Session::new("".into(), secrets, Arc::clone(&memory))),
            memory,
            open: RwLock::default(),
            closed: Mutex::default(),
            rules: RwLock::new(Rules::new(limits)),
            full_until: AtomicU64::default(),
            opening: Semaphore::new(1),
            forgotten: Mutex::default(),
            unordered: Mutex::default(),
        }
    }

    /// A snapshot with this configuration and these indexes is in force. The indexes before it are
    /// removed. Sessions above a lower limit stay until they are idle.
    pub fn publish(&self, config: &Config, indexes: &Arc<Indexes>) {
        self.memory.set_limits(&config.limits);
        self.secret_memory.set_limit(config.limits.secret_memory);
        let names = config.endpoints.iter().map(|it| it.session.as_str());
        let names = names.filter_map(|name| SessionName::parse(name).ok());
        let next = Rules {
            kept: names.map(|name| name.as_str().into()).collect(),
            indexes: Arc::clone(indexes),
            ..Rules::new(&config.limits)
        };
        let previous = std::mem::replace(&mut *self.rules.write(), next);
        if !Arc::ptr_eq(&previous.indexes, indexes) {
            previous.indexes.clear();
        }
    }

    /// The cassettes folder.
    pub fn folder(&self) -> &Arc<CassetteDir> {
        &self.folder
    }

    /// The same with a key that the placeholders follow from.
    #[must_use]
    pub fn with_placeholder_key(mut self, key: Option<PlaceholderKey>) -> Self {
        self.placeholder_key = key;
        self
    }

    /// The memory budget of exchanges.
    pub fn budget(&self) -> &MemoryBudget {
        self.memory.budget()
    }

    /// Bytes of the recorded exchanges in memory (`limits.index_memory`).
    pub fn index_memory(&self) -> usize {
        self.memory.used()
    }

    /// Bytes of the secrets of all sessions, and of the values that their clients made up
    /// (`limits.secret_memory`).
    pub fn secret_memory(&self) -> usize {
        self.secret_memory.used()
    }

    /// Secrets that every session knows from the start: name of the rule and value.
    pub(super) fn named_secrets(&self) -> &[(String, String)] {
        &self.named_secrets
    }

    /// The session of requests that are only passed through.
    pub(crate) fn passthrough(&self) -> &Arc<Session> {
        &self.passthrough
    }

    /// The name of the session that this text names.
    pub(crate) fn checked_name(&self, name: &str) -> Result<Arc<str>, SessionError> {
        canonical(name)
    }

    /// The session of this name. Opens it if it is closed, and creates it if it does not exist.
    /// Does not read its cassette.
    pub fn get_or_create(&self, name: &str) -> Result<Arc<Session>, SessionError> {
        let now = self.started.elapsed();
        if let Some(session) = self.open.read().get(name) {
            session.use_at(now);
            return Ok(Arc::clone(session));
        }
        // Different spellings of a name are one session if they have one cassette.
        let name = canonical(name)?;
        let mut open = self.open.write();
        if let Some(session) = open.get(&*name) {
            session.use_at(now);
            return Ok(Arc::clone(session));
        }
        let max_open = self.rules.read().max_open;
        let mut removed = Vec::new();
        if open.len() >= max_open && self.may_have_idle(now) {
            let excess = open.len() - max_open;
            let count = excess + (max_open / CLOSED_SHARE).max(1);
            removed = self.remove_idle(&mut open, now, count, Unwritten::Close);
            if open.len() >= max_open {
                let until = as_nanos(now + SEARCH_INTERVAL);
                self.full_until.store(until, Ordering::Relaxed);
            }
        }
        let session = (open.len() < max_open).then(|| self.open_closed(name));
        if let Some(session) = &session {
            session.use_at(now);
            open.insert(Arc::clone(session.name()), Arc::clone(session));
        }
        drop(open);
        self.close(removed);
        session.ok_or(SessionError::TooMany(max_open))
    }

    fn may_have_idle(&self, now: Duration) -> bool {
        as_nanos(now) >= self.full_until.load(Ordering::Relaxed)
    }

    /// The closed session of this name, or a new one.
    fn open_closed(&self, name: Arc<str>) -> Arc<Session> {
        let mut closed = self.closed.lock();
        if let Some(session) = closed.take(&name) {
            return session;
        }
        let trace = closed.trace(&name);
        drop(closed);
        let secrets = Secrets::in_memory(self.secret_bounds, &self.secret_memory);
        let secrets = secrets.with_key(self.placeholder_key.clone());
        register_named(&secrets, &self.named_secrets);
        let memory = Arc::clone(&self.memory);
        Arc::new(match trace {
            Some(trace) => Session::again(name, secrets, memory, trace),
            None => Session::new(name, secrets, memory),
        })
    }

    /// Begins the next run of a session, which new requests belong to. Returns the run that ended.
    pub fn begin_run(&self, name: &str) -> Result<Arc<Session>, SessionError> {
        loop {
            let ended = self.get_or_create(name)?;
            if let Some(next) = ended.next_run() {
                self.replace(next);
                return Ok(ended);
            }
            // Another thread is about to replace it.
            std::thread::yield_now();
        }
    }

    /// Puts `next` in the place of the session that it replaces, unless a later one is there.
    pub(super) fn replace(&self, next: Arc<Session>) {
        let mut sessions = self.open.write();
        if let Some(current) = sessions.get_mut(next.name())
            && current.version() < next.version()
        {
            *current = next;
        }
    }

    /// The open sessions, sorted by name.
    pub fn all(&self) -> Vec<Arc<Session>> {
        sorted(self.open.read().values().cloned().collect())
    }

    /// The open and the closed sessions, sorted by name. One stands for those that are forgotten.
    pub fn all_reported(&self) -> Vec<Arc<Session>> {
        let open = self.open.read();
        let mut all: Vec<_> = open.values().cloned().collect();
        all.extend(self.closed.lock().all());
        sorted(all)
    }

    /// Reads the session's cassette unless that was done before. Idle sessions are closed if their
    /// memory is needed, those of endpoints last. Blocks on the disk.
    pub fn load(&self, session: &Session, strict: bool) -> Result<(), SessionError> {
        loop {
            let loaded = session.load_from(&self.folder, strict);
            let Err(SessionError::IndexMemory(shortage)) = loaded else {
                return loaded;
            };
            if !self.close_some_idle() && !self.close_kept_idle() {
                let sessions = self.count_loaded(session);
                return Err(SessionError::IndexMemory(MemoryShortage {
                    sessions,
                    ..shortage
                }));
            }
        }
    }

    /// The number of open sessions that hold exchanges, without this one.
    fn count_loaded(&self, except: &Session) -> usize {
        let open = self.open.read();
        let others = open.values().filter(|it| it.name() != except.name());
        others.filter(|it| it.holds_exchanges()).count()
    }

    /// Counts exchanges that were acknowledged and then not synced to the disk, or removed by
    /// another program. They may be lost in a power failure, or are lost, so the session fails. If
    /// nothing is lost, this is logged.
    pub fn count_unsynced(&self, name: &str, count: u64, error: &WriteError) {
        let chain = error_chain(error);
        if count == 0 {
            return tracing::warn!(session = name, "the cassette: {chain}");
        }
        let reason = match error {
            WriteError::Removed | WriteError::Changed => chain,
            _ => format!("written, but not confirmed by the disk: {chain}"),
        };
        tracing::error!(session = name, "{count} exchanges {reason}");
        match self.find(name) {
            Some(session) => {
                let counters = session.counters();
                counters.count_defects(Defect::NotWritten, &reason, count);
            }
            None => self.closed.lock().count_unconfirmed(&reason, count),
        }
    }

    /// Counts the exchanges that are complete and were not written when the gateway stopped.
    pub(crate) fn count_unwritten(&self) {
        // One that was closed may still wait for the recorder.
        for session in self.all_reported() {
            let count = session.unwritten_count();
            if count > 0 {
                let counters = session.counters();
                counters.count_defects(Defect::NotWritten, NOT_WRITTEN_AT_STOP, count);
            }
        }
    }

    /// True if the session is open.
    pub(crate) fn is_open(&self, name: &str) -> bool {
        self.open.read().contains_key(name)
    }

    /// True if the session had a request in this process.
    pub(crate) fn had_request(&self, name: &str) -> Result<bool, SessionError> {
        let name = canonical(name)?;
        if let Some(session) = self.open.read().get(&name) {
            return Ok(session.all_runs.had_request.load(Ordering::Relaxed));
        }
        let closed = self.closed.lock();
        Ok(closed.get(&name).is_some() || closed.trace(&name).is_some())
    }

    /// The session of this name, open or closed.
    pub fn find(&self, name: &str) -> Option<Arc<Session>> {
        let name = canonical(name).ok()?;
        let open = self.open.read();
        if let Some(session) = open.get(&*name) {
            return Some(Arc::clone(session));
        }
        self.closed.lock().get(&name).cloned()
    }
}

fn as_nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn canonical(name: &str) -> Result<Arc<str>, SessionError> {
    let name = SessionName::parse(name);
    let name = name.map_err(|error| SessionError::InvalidName(error.to_string()))?;
    Ok(name.as_str().into())
}

fn sorted(mut sessions: Vec<Arc<Session>>) -> Vec<Arc<Session>> {
    sessions.sort_by(|a, b| a.name().cmp(b.name()));
    sessions
}

fn register_named(secrets: &Secrets, named: &[(String, String)]) {
    for (name, value) in named {
        secrets.register_env(name, value.as_bytes());
    }
}
