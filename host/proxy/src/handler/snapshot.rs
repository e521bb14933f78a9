//! One generation of everything that a reload replaces.

use std::collections::HashMap;
use std::sync::Arc;

use super::endpoint::Endpoint;
use super::error::ExchangeError;
use crate::session::{Index, Indexes, Session, Sessions, VerdictRules};
use ouli_config::{CommandLine, Config, Mode};
use ouli_matching::miss::{Guidance, Miss};
use ouli_plugin::Plugins;
use ouli_redaction::Guard;

/// One generation of everything that a reload replaces. Immutable except for the indexes, which
/// are built when first used.
pub struct Snapshot {
    /// Incremented by each reload.
    pub generation: u64,
    /// The configuration.
    pub config: Arc<Config>,
    /// The command with which the gateway was started.
    pub command: Arc<CommandLine>,
    /// The plugins.
    pub plugins: Arc<Plugins>,
    /// Scans everything for secrets before it is written to the disk.
    pub guard: Arc<Guard>,
    /// The endpoints by name.
    pub endpoints: HashMap<Arc<str>, Arc<Endpoint>>,
    /// The index of each session that was replayed.
    pub indexes: Arc<Indexes>,
}

impl Snapshot {
    pub(crate) fn endpoint(&self, name: &str) -> Result<Arc<Endpoint>, ExchangeError> {
        let endpoint = self.endpoints.get(name).cloned();
        endpoint.ok_or_else(|| ExchangeError::NoEndpoint(name.to_owned()))
    }

    /// The command that runs an endpoint in this mode, for users to type.
    pub fn command_in_mode(&self, mode: Mode, endpoint: &Endpoint, session: &str) -> String {
        let count = self.config.endpoints.len();
        self.command
            .in_mode(mode, &endpoint.configured, Some(session), count)
    }

    /// What the report of a miss needs to know of the gateway.
    pub(crate) fn guidance(&self, endpoint: &Endpoint, session: &str) -> Guidance {
        let chooses_port = endpoint.configured.listen.port() == 0;
        let count = self.config.endpoints.len();
        // The client that is run again names the session again.
        let named = (!chooses_port || session == &*endpoint.session).then_some(session);
        let command = |mode| {
            self.command
                .in_mode(mode, &endpoint.configured, named, count)
        };
        Guidance {
            record_command: command(Mode::Record),
            auto_command: command(Mode::Auto),
            accept_command: self.command.accept_edits(session),
            chooses_port,
            config_file: self.command.config_file().to_owned(),
            matcher: self.config.builtin.matcher.clone(),
            matcher_by_flags: self.command.sets("matcher"),
        }
    }

    /// Withholds what the guard would not let pass to the disk either.
    pub(crate) fn withhold_secrets(&self, miss: &mut Miss, session: &Session) {
        let guard = &self.guard;
        miss.withhold(|text| guard.scan(text.as_bytes(), session.secrets()).is_err());
    }

    /// The rules of verdicts.
    pub fn verdict_rules(&self) -> VerdictRules<'_> {
        VerdictRules {
            guard: &self.guard,
            fail_on: &self.config.fail_on,
            expects_requests: self.config.expects_requests(),
            checked_until: None,
        }
    }

    /// The sessions that have an index.
    pub fn indexed(&self) -> Vec<Arc<str>> {
        self.indexes.sessions()
    }

    /// The index of a session, if it was built.
    pub fn index(&self, session: &str) -> Option<Arc<Index>> {
        self.indexes.get(session)
    }

    /// The index of a session. Builds it if there is none: reads the cassette and derives all keys.
    /// The index of another run is reused, and the index of a later one is kept.
    ///
    /// # Errors
    /// If the cassette cannot be read.
    pub fn make_index(
        &self,
        sessions: &Sessions,
        session: &Arc<Session>,
    ) -> Result<Arc<Index>, ExchangeError> {
        sessions.load(session, self.config.strict)?;
        let _building = session.lock_index_build();
        // Built outside of the lock of all indexes, which every request takes.
        let known = self.index(session.name());
        if let Some(index) = known.as_ref().filter(|index| index.is_of(session)) {
            return Ok(Arc::clone(index));
        }
        let rewound = known.and_then(|index| index.rewound(session));
        let built = Arc::new(rewound.unwrap_or_else(|| {
            let (plugins, folder) = (Arc::clone(&self.plugins), Arc::clone(sessions.folder()));
            Index::build(Arc::clone(session), plugins, folder)
        }));
        Ok(self.indexes.keep(session, built))
    }
}
