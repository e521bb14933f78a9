//! Makes the parts of a gateway from a configuration.

use std::collections::HashMap;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;

use super::bounds::upstream_bounds;
use super::{Loaded, Options, generation};
use crate::handler::{Endpoint, ExchangeError, Route, Snapshot};
use crate::session::Sessions;
use ouli_cassette::{
    CassetteDir, CassetteError, ChangePolicy, SyncPolicy, WriteError, Writer, WriterOptions,
};
use ouli_config::{Config, ConfigErrors, Endpoint as Configured, Fsync, Mode, Scheme};
use ouli_message::error_chain::error_chain;
use ouli_net::server::ListenError;
use ouli_net::tls::{self, TlsError};
use ouli_plugin::{PluginError, Plugins};
use ouli_redaction::Guard;

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The configuration has faults.
    #[error("{0}")]
    Config(ConfigErrors),
    /// A folder of plugins is not there.
    #[error("there is no plugins folder {}; create it, or leave --plugins out", .0.display())]
    PluginFolder(PathBuf),
    /// Plugins cannot be used, a line each.
    #[error("{}", .0.join("\n"))]
    Plugins(Vec<String>),
    /// A descriptor set cannot be used.
    #[error("{0}")]
    Descriptors(String),
    /// The plugins do not fit together.
    #[error("plugins: {0}")]
    Composition(PluginError),
    /// The wasm engine does not start.
    #[error("{0}")]
    Engine(PluginError),
    /// The folder of cassettes, or a cassette, cannot be used.
    #[error("{0}")]
    Cassette(String),
    /// A certificate, a key or a root cannot be used.
    #[error("endpoint {endpoint}: {}", error_chain(.source))]
    Tls {
        /// Name of the endpoint.
        endpoint: String,
        /// The reason.
        source: TlsError,
    },
    /// An upstream's address is none.
    #[error("endpoint {endpoint}: the upstream's address cannot be used: {source}")]
    Upstream {
        /// Name of the endpoint.
        endpoint: String,
        /// The reason.
        source: http::uri::InvalidUri,
    },
    /// A listener cannot be opened.
    #[error("endpoint {endpoint}: {source}")]
    Listen {
        /// Name of the endpoint.
        endpoint: String,
        /// The reason.
        source: ListenError,
    },
    /// A socket that was passed to the process cannot be used.
    #[error("a passed socket: {0}")]
    InheritedSocket(String),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// The folder of the cassettes, made where there is none.
pub fn cassette_folder(config: &Config) -> Result<CassetteDir, StartError> {
    let largest = config.limits.cassette_size as u64;
    CassetteDir::open(&config.cassettes, largest).map_err(|error| cassette_error(&error))
}

fn cassette_error(error: &CassetteError) -> StartError {
    StartError::Cassette(error_chain(error))
}

pub(super) fn start_writer(
    sessions: &Arc<Sessions>,
    config: &Config,
) -> Result<Writer, StartError> {
    let limits = &config.limits;
    // No limit on a count begins below one.
    let count = |count| NonZero::new(count).unwrap_or(NonZero::<usize>::MIN);
    let options = WriterOptions {
        queue: count(limits.recorder_queue),
        max_batch: count(limits.write_batch_exchanges),
        max_batch_bytes: limits.write_batch_bytes as u64,
        max_open: count(limits.open_cassettes),
        inline_limit: limits.inline_body as u64,
        sync: match config.fsync {
            Fsync::Always => SyncPolicy::EveryExchange,
            Fsync::Interval(interval) => SyncPolicy::Interval(interval),
            Fsync::OnClose => SyncPolicy::Close,
        },
    };
    let told = Arc::clone(sessions);
    let unsynced = Box::new(move |session: &str, count: u64, error: &WriteError| {
        told.count_unsynced(session, count, error);
    });
    let folder = CassetteDir::clone(sessions.folder());
    Writer::start(folder, options, unsynced).map_err(StartError::Thread)
}

/// Keeps the cassettes of the endpoints that record from other gateways, and says at once where one
/// has them already. Such a gateway serves all the same: it may be there to take over.
pub(super) fn lock_cassettes(snapshot: &Snapshot, writer: &Writer) {
    for endpoint in snapshot.endpoints.values() {
        if !matches!(endpoint.configured.mode, Mode::Record | Mode::Auto) {
            continue;
        }
        if let Err(error) = writer.claim(&endpoint.session) {
            tracing::warn!(
                "session {}: nothing is recorded for now: {}",
                endpoint.session,
                error_chain(&error)
            );
        }
    }
}

/// Values of the environment variables that the configuration calls secret.
pub(super) fn environment_secrets(
    config: &Config,
    environment: fn(&str) -> Option<String>,
) -> Vec<(String, String)> {
    let names = config.redaction.env.iter();
    names
        .filter_map(|name| match environment(name) {
            Some(value) if !value.is_empty() => Some((name.clone(), value)),
            Some(_) | None => {
                tracing::warn!("[redaction] env names {name}, which is not set here");
                None
            }
        })
        .collect()
}

/// One generation, ready to be published; its indexes are made when they are needed.
///
/// Endpoints that are as they were are taken over from the generation `before`.
pub(super) fn build_snapshot(
    loaded: &Loaded,
    before: Option<&Snapshot>,
    workers: usize,
) -> Result<Snapshot, StartError> {
    let generation = before.map_or(1, |before| before.generation + 1);
    let config = Arc::clone(&loaded.config);
    let off = &config.redaction.disabled_rules;
    let plugins =
        Plugins::new(loaded.plugins(), off, loaded.schema()).map_err(StartError::Composition)?;
    let guard = Guard::new(off);
    for id in plugins.unknown_disabled() {
        if !Guard::ids().any(|known| known == id) {
            tracing::warn!("[redaction] off names `{id}`, which no rule has");
        }
    }
    let mut endpoints = HashMap::new();
    for configured in &config.endpoints {
        let name: Arc<str> = configured.name.as_str().into();
        let endpoint =
            match before.and_then(|before| reusable_endpoint(before, configured, &config)) {
                Some(endpoint) => endpoint,
                None => Arc::new(build_endpoint(configured, &config, workers)?),
            };
        endpoints.insert(name, endpoint);
    }
    Ok(Snapshot {
        generation,
        config,
        plugins: Arc::new(plugins),
        guard: Arc::new(guard),
        endpoints,
        indexes: Default::default(),
    })
}

fn reusable_endpoint(
    before: &Snapshot,
    configured: &Configured,
    config: &Config,
) -> Option<Arc<Endpoint>> {
    let endpoint = before.endpoints.get(configured.name.as_str())?;
    let bounds = upstream_bounds(&config.limits);
    let same_route = endpoint
        .upstream
        .as_ref()
        .is_none_or(|route| route.has_bounds(&bounds));
    (endpoint.configured == *configured && same_route).then(|| Arc::clone(endpoint))
}

fn build_endpoint(
    configured: &Configured,
    config: &Config,
    workers: usize,
) -> Result<Endpoint, StartError> {
    let address = configured.upstream.as_ref();
    // Without a way in its hands, a replay cannot ask anybody.
    let asks = address.filter(|_| configured.mode.needs_upstream());
    let route = asks.map(|address| {
        let secure = address.scheme == Scheme::Https;
        let tls = secure.then(|| tls::client_config(configured.upstream_ca.as_deref()));
        let tls = tls.transpose().map_err(|source| StartError::Tls {
            endpoint: configured.name.clone(),
            source,
        })?;
        let bounds = upstream_bounds(&config.limits);
        Route::new(address.clone(), tls, bounds, workers).map_err(|source| StartError::Upstream {
            endpoint: configured.name.clone(),
            source,
        })
    });
    Ok(Endpoint {
        name: configured.name.as_str().into(),
        session: configured.session.as_str().into(),
        authority: address.map_or_else(String::new, |address| address.authority()),
        configured: configured.clone(),
        upstream: route.transpose()?,
    })
}

/// Reads the cassettes of the endpoints that replay, so that the first request is as fast as the
/// second.
pub(super) fn warm_up(snapshot: &Snapshot, sessions: &Sessions) -> Result<(), StartError> {
    for endpoint in snapshot.endpoints.values() {
        if matches!(endpoint.configured.mode, Mode::Record | Mode::Passthrough) {
            continue;
        }
        let failed = |error: ExchangeError| StartError::Cassette(error.to_string());
        let session = sessions.get_or_create(&endpoint.session);
        let session = session.map_err(|error| failed(error.into()))?;
        snapshot.make_index(sessions, &session).map_err(failed)?;
        if session.is_empty() && endpoint.configured.mode == Mode::Replay {
            let folder = sessions.folder().root().display();
            tracing::warn!(
                "session {} has no recorded exchange in {folder}; record one with: \
                 ouli-gateway record --upstream URL --session {}",
                session.name(),
                session.name()
            );
        }
    }
    Ok(())
}

/// Derives the keys of every session in use under the new plugins, before they are published: a
/// swap never turns hits into misses while it is at it.
pub(super) fn rekey(old: &Snapshot, new: &Snapshot, sessions: &Sessions) {
    for name in old.indexed() {
        let made = sessions
            .get_or_create(&name)
            .map_err(ExchangeError::from)
            .and_then(|session| new.make_index(sessions, &session));
        if let Err(error) = made {
            tracing::error!("session {name}: {error}");
        }
    }
}

/// Every fault of the configuration, the plugins and the cassettes, a line each; none where all is
/// well.
pub fn check(options: &Options) -> Vec<String> {
    let loaded = match generation::load(options) {
        Ok(loaded) => loaded,
        Err(error) => return error.to_string().lines().map(str::to_owned).collect(),
    };
    let mut faults = Vec::new();
    if let Err(error) = build_snapshot(&loaded, None, 1) {
        faults.push(error.to_string());
    }
    if !loaded.config.cassettes.exists() {
        return faults;
    }
    match cassette_folder(&loaded.config) {
        Ok(folder) => check_cassettes(&folder, loaded.config.strict, &mut faults),
        Err(error) => faults.push(error.to_string()),
    }
    faults
}

fn check_cassettes(folder: &CassetteDir, strict: bool, faults: &mut Vec<String>) {
    let listed = match folder.list() {
        Ok(listed) => listed,
        Err(error) => return faults.push(error_chain(&error)),
    };
    for one in listed {
        let session = one.session.as_str();
        match folder.load(session, ChangePolicy::Mark) {
            Ok(Some(loaded)) => {
                let damage = loaded.damage.iter().chain(loaded.torn_tail.as_ref());
                faults.extend(damage.map(|damage| format!("cassette {session}: {damage}")));
                let edited = loaded.exchanges.iter().filter(|one| one.edited && strict);
                faults.extend(
                    edited.map(|one| {
                        format!("cassette {session}: exchange {} was edited", one.ordinal)
                    }),
                );
            }
            Ok(None) => {}
            Err(error) => faults.push(format!("cassette {session}: {}", error_chain(&error))),
        }
    }
}
