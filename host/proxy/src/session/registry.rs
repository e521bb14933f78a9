//! All sessions of the process, and what is known of each one's cassette.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::Notify;

use super::log_throttle::LogThrottle;
use super::{Counters, Entry, Session};
use ouli_cassette::{
    CassetteDir, CassetteError, ChangePolicy, LoadedCassette, SessionName, WriteError,
};
use ouli_config::Limits;
use ouli_message::Exchange;
use ouli_message::error_chain::error_chain;
use ouli_redaction::{SecretBounds, Secrets};

/// What was done with a session's cassette so far.
#[derive(Debug, Default)]
pub(super) struct CassetteState {
    /// It was read, or there was none; or why it cannot be used.
    pub(super) load_result: Option<Result<(), String>>,
    /// Exchanges that could not be read, a line each.
    pub(super) damage: Vec<String>,
    /// Exchanges that were changed by hand, by number.
    pub(super) edited: Vec<u64>,
    /// It was started anew for writing.
    pub(super) rotated: bool,
}

/// Why a session cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The name cannot be a file name.
    #[error("{0}")]
    InvalidName(String),
    /// There are too many.
    #[error("more than {0} sessions (limits.sessions)")]
    TooMany(usize),
    /// The cassette cannot be used.
    #[error("{0}")]
    Cassette(String),
}

/// The sessions by name.
pub struct Sessions {
    folder: Arc<CassetteDir>,
    max_sessions: AtomicUsize,
    secret_bounds: SecretBounds,
    /// Values that are secret in every session, by the name of their rule.
    named_secrets: Vec<(String, String)>,
    sessions: RwLock<HashMap<Arc<str>, Arc<Session>>>,
}

impl Sessions {
    /// No session yet; cassettes are in `folder`. `named` are secrets that are known from the
    /// start.
    pub fn new(folder: Arc<CassetteDir>, limits: &Limits, named: Vec<(String, String)>) -> Self {
        Self {
            folder,
            max_sessions: AtomicUsize::new(limits.sessions),
            secret_bounds: SecretBounds {
                count: limits.secrets_per_session,
                bytes: limits.secret_bytes_per_session,
            },
            named_secrets: named,
            sessions: RwLock::default(),
        }
    }

    /// So many there may be from now on; those above it stay.
    pub fn set_limit(&self, most: usize) {
        self.max_sessions.store(most, Ordering::Relaxed);
    }

    /// The folder of the cassettes.
    pub fn folder(&self) -> &Arc<CassetteDir> {
        &self.folder
    }

    /// Secrets that are known from the start, by the name of their rule.
    pub(super) fn named_secrets(&self) -> &[(String, String)] {
        &self.named_secrets
    }

    /// The session of this name, made where there is none. Nothing is read from disk.
    pub fn get_or_create(&self, name: &str) -> Result<Arc<Session>, SessionError> {
        if let Some(session) = self.find(name) {
            return Ok(session);
        }
        // One cassette is one session, however its name was spelled.
        let name = SessionName::parse(name);
        let name = name.map_err(|error| SessionError::InvalidName(error.to_string()))?;
        let name = name.as_str();
        let mut all = self
            .sessions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = all.get(name) {
            return Ok(Arc::clone(session));
        }
        let most = self.max_sessions.load(Ordering::Relaxed);
        if all.len() >= most {
            return Err(SessionError::TooMany(most));
        }
        let session = Arc::new(self.create(name.into()));
        all.insert(Arc::clone(session.name()), Arc::clone(&session));
        Ok(session)
    }

    /// All sessions in the order of their names.
    pub fn all(&self) -> Vec<Arc<Session>> {
        let all = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        let mut sessions: Vec<_> = all.values().cloned().collect();
        sessions.sort_by(|a, b| a.name().cmp(b.name()));
        sessions
    }

    /// Reads the session's cassette unless that was done. Not for a thread that serves.
    pub fn load(&self, session: &Session, strict: bool) -> Result<(), SessionError> {
        let mut cassette = session.lock_cassette();
        if cassette.load_result.is_none() {
            let read = self.folder.load(session.name(), ChangePolicy::Mark);
            let result = session.add_loaded(&mut cassette, read, strict);
            cassette.load_result = Some(result);
        }
        match &cassette.load_result {
            Some(Err(reason)) => Err(SessionError::Cassette(reason.clone())),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// Counts exchanges that were written and that the disk then did not confirm: they may be gone
    /// after a loss of power, which fails the verdict.
    pub fn count_unsynced(&self, name: &str, count: u64, error: &WriteError) {
        let reason = format!(
            "written, but not confirmed by the disk: {}",
            error_chain(error)
        );
        tracing::error!(session = name, "{count} exchanges {reason}");
        if let Some(session) = self.find(name) {
            session.counters().count_unconfirmed(reason, count);
        }
    }

    fn find(&self, name: &str) -> Option<Arc<Session>> {
        let all = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        all.get(name).cloned()
    }

    fn create(&self, name: Arc<str>) -> Session {
        let secrets = Secrets::with_bounds(self.secret_bounds);
        for (name, value) in &self.named_secrets {
            secrets.register_env(name, value.as_bytes());
        }
        Session {
            name,
            secrets: Arc::new(secrets),
            counters: Counters::default(),
            entries: RwLock::default(),
            pending: Mutex::default(),
            write_finished: Notify::new(),
            cassette_state: Mutex::default(),
            complaints: LogThrottle::default(),
        }
    }
}

impl Session {
    pub(super) fn lock_cassette(&self) -> std::sync::MutexGuard<'_, CassetteState> {
        self.cassette_state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// True once the cassette was read, so that [`Sessions::load`] has nothing to do.
    pub fn is_loaded(&self) -> bool {
        self.lock_cassette().load_result.is_some()
    }

    /// What could not be read of the cassette, a line each.
    pub fn damage(&self) -> Vec<String> {
        self.lock_cassette().damage.clone()
    }

    /// Numbers of the exchanges that were edited by hand.
    pub fn edited(&self) -> Vec<u64> {
        self.lock_cassette().edited.clone()
    }

    fn add_loaded(
        &self,
        cassette: &mut CassetteState,
        read: Result<Option<LoadedCassette>, CassetteError>,
        strict: bool,
    ) -> Result<(), String> {
        let Some(loaded) = read.map_err(|error| error.to_string())? else {
            return Ok(());
        };
        for recorded in &loaded.exchanges {
            self.reserve_placeholders(&recorded.exchange);
        }
        cassette.damage = loaded.damage.iter().map(ToString::to_string).collect();
        cassette
            .damage
            .extend(loaded.torn_tail.map(|torn| torn.to_string()));
        for line in &cassette.damage {
            tracing::warn!(session = %self.name, "{line}");
        }
        for recorded in loaded.exchanges {
            if recorded.edited {
                cassette.edited.push(recorded.ordinal);
                if strict {
                    continue;
                }
            }
            self.add(Entry::new(recorded.ordinal, recorded.exchange));
        }
        self.report_edited(&cassette.edited, strict);
        Ok(())
    }

    /// Placeholders that the recording has are not given to other secrets.
    fn reserve_placeholders(&self, exchange: &Exchange) {
        let secrets = &self.secrets;
        let (request, response) = (&exchange.request, &exchange.response);
        secrets.resume_numbering(request.target.as_bytes());
        let fields = request.fields.iter().chain(response.fields.iter());
        for (_, value) in fields {
            secrets.resume_numbering(value.as_bytes());
        }
        secrets.resume_numbering(request.body.inline());
        secrets.resume_numbering(response.body.inline());
    }

    fn report_edited(&self, edited: &[u64], strict: bool) {
        if edited.is_empty() {
            return;
        }
        let session = &self.name;
        if strict {
            tracing::warn!(
                %session,
                "exchanges {edited:?} were edited by hand and are left out (strict)"
            );
        } else {
            tracing::info!(%session, "exchanges {edited:?} were edited by hand; they are replayed");
        }
    }
}
