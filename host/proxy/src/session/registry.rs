//! All sessions of the process.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

use super::error::SessionError;
use super::session_state::Session;
use ouli_cassette::{CassetteDir, SessionName, WriteError};
use ouli_config::{Defect, Limits};
use ouli_message::error_chain::error_chain;
use ouli_redaction::{SecretBounds, Secrets};

/// The sessions by name.
pub struct Sessions {
    folder: Arc<CassetteDir>,
    max_sessions: AtomicUsize,
    secret_bounds: SecretBounds,
    /// Secrets that every session knows from the start: name of the rule and value.
    named_secrets: Vec<(String, String)>,
    sessions: RwLock<HashMap<Arc<str>, Arc<Session>>>,
}

impl Sessions {
    /// An empty registry. Cassettes are in `folder`; `named_secrets` are known from the start.
    pub fn new(
        folder: Arc<CassetteDir>,
        limits: &Limits,
        named_secrets: Vec<(String, String)>,
    ) -> Self {
        Self {
            folder,
            max_sessions: AtomicUsize::new(limits.sessions),
            secret_bounds: SecretBounds {
                count: limits.secrets_per_session,
                bytes: limits.secret_bytes_per_session,
            },
            named_secrets,
            sessions: RwLock::default(),
        }
    }

    /// Changes the maximum number of sessions. Existing sessions above it stay.
    pub fn set_limit(&self, max_sessions: usize) {
        self.max_sessions.store(max_sessions, Ordering::Relaxed);
    }

    /// The cassettes folder.
    pub fn folder(&self) -> &Arc<CassetteDir> {
        &self.folder
    }

    /// Secrets that every session knows from the start: name of the rule and value.
    pub(super) fn named_secrets(&self) -> &[(String, String)] {
        &self.named_secrets
    }

    /// The session of this name, created if it does not exist. Does not read its cassette.
    pub fn get_or_create(&self, name: &str) -> Result<Arc<Session>, SessionError> {
        if let Some(session) = self.find(name) {
            return Ok(session);
        }
        // Different spellings of a name are one session if they have one cassette.
        let name = SessionName::parse(name);
        let name = name.map_err(|error| SessionError::InvalidName(error.to_string()))?;
        let name = name.as_str();
        let mut sessions = self.sessions.write();
        if let Some(session) = sessions.get(name) {
            return Ok(Arc::clone(session));
        }
        let max_sessions = self.max_sessions.load(Ordering::Relaxed);
        if sessions.len() >= max_sessions {
            return Err(SessionError::TooMany(max_sessions));
        }
        let session = Arc::new(self.create(name.into()));
        sessions.insert(Arc::clone(session.name()), Arc::clone(&session));
        Ok(session)
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
        let mut sessions = self.sessions.write();
        if let Some(current) = sessions.get_mut(next.name())
            && current.version() < next.version()
        {
            *current = next;
        }
    }

    /// All sessions, sorted by name.
    pub fn all(&self) -> Vec<Arc<Session>> {
        let mut sessions: Vec<_> = self.sessions.read().values().cloned().collect();
        sessions.sort_by(|a, b| a.name().cmp(b.name()));
        sessions
    }

    /// Reads the session's cassette unless that was done before. Blocks on the disk.
    pub fn load(&self, session: &Session, strict: bool) -> Result<(), SessionError> {
        session.load_from(&self.folder, strict)
    }

    /// Counts exchanges that were acknowledged and then not synced to the disk. They may be lost in
    /// a power failure, so the session fails.
    pub fn count_unsynced(&self, name: &str, count: u64, error: &WriteError) {
        let reason = format!(
            "written, but not confirmed by the disk: {}",
            error_chain(error)
        );
        tracing::error!(session = name, "{count} exchanges {reason}");
        if let Some(session) = self.find(name) {
            let counters = session.counters();
            counters.count_defects(Defect::NotWritten, &reason, count);
        }
    }

    /// Counts the exchanges that are complete and were not written when the gateway stopped.
    pub(crate) fn count_unwritten(&self) {
        for session in self.all() {
            let count = session.unwritten_count();
            if count > 0 {
                let reason = "not written when the gateway stopped";
                let counters = session.counters();
                counters.count_defects(Defect::NotWritten, reason, count);
            }
        }
    }

    /// The session of this name, if it is in use.
    pub fn find(&self, name: &str) -> Option<Arc<Session>> {
        self.sessions.read().get(name).cloned()
    }

    fn create(&self, name: Arc<str>) -> Session {
        let secrets = Secrets::with_bounds(self.secret_bounds);
        for (name, value) in &self.named_secrets {
            secrets.register_env(name, value.as_bytes());
        }
        Session::new(name, secrets)
    }
}
