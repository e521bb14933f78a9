//! Builds a snapshot, which is all that requests of one generation use.

use std::collections::HashMap;
use std::sync::Arc;

use super::bounds::upstream_bounds;
use super::desired_plugins::REDACTOR;
use super::error::StartError;
use super::loaded::{Loaded, PluginSlot};
use crate::handler::{Endpoint, ExchangeError, Route, Snapshot};
use crate::session::Sessions;
use ouli_config::{Config, DEFAULT_SESSION, Endpoint as EndpointConfig, Mode};
use ouli_net::tls::ClientConfig;
use ouli_plugin::Plugins;
use ouli_redaction::Guard;

/// Builds the snapshot that follows `previous`. Its indexes are built when they are first used.
///
/// Unchanged endpoints are reused, with their connections.
pub(super) fn build_snapshot(
    loaded: &Loaded,
    previous: Option<&Snapshot>,
    workers: usize,
) -> Result<Snapshot, StartError> {
    let generation = previous.map_or(1, |previous| previous.generation + 1);
    let config = Arc::clone(&loaded.config);
    let disabled_rules = &config.redaction.disabled_rules;
    let plugins = Plugins::new(loaded.plugins(), disabled_rules, loaded.schema())
        .map_err(StartError::Composition)?;
    let guard = Guard::new(disabled_rules);
    warn_of_unknown(&plugins);
    let mut endpoints = HashMap::new();
    for configured in &config.endpoints {
        let name: Arc<str> = configured.name.as_str().into();
        let client = loaded.tls.built(name.as_ref()).client;
        let reused = previous
            .and_then(|previous| reusable_endpoint(previous, configured, &config, client.as_ref()));
        let endpoint = match reused {
            Some(endpoint) => endpoint,
            None => Arc::new(build_endpoint(configured, &config, client, workers)?),
        };
        endpoints.insert(name, endpoint);
    }
    Ok(Snapshot {
        generation,
        config,
        command: Arc::clone(&loaded.command),
        plugins: Arc::new(plugins),
        guard: Arc::new(guard),
        endpoints,
        indexes: Default::default(),
    })
}

/// Warns of `disabled_rules` that no rule has as its id, if the plugins with rules are loaded.
pub(super) fn warn_of_unknown_rules(loaded: &Loaded) {
    let is_redactor = |slot: &PluginSlot| slot.source.name == REDACTOR;
    if !loaded.plugins.iter().any(is_redactor) {
        return;
    }
    let disabled_rules = &loaded.config.redaction.disabled_rules;
    if let Ok(plugins) = Plugins::new(loaded.plugins(), disabled_rules, loaded.schema()) {
        warn_of_unknown(&plugins);
    }
}

fn warn_of_unknown(plugins: &Plugins) {
    for id in plugins.unknown_disabled() {
        if !Guard::ids().any(|known| known == id) {
            tracing::warn!("[redaction] disabled_rules: there is no rule `{id}`");
        }
    }
}

fn reusable_endpoint(
    previous: &Snapshot,
    configured: &EndpointConfig,
    config: &Config,
    tls: Option<&Arc<ClientConfig>>,
) -> Option<Arc<Endpoint>> {
    let endpoint = previous.endpoints.get(configured.name.as_str())?;
    let bounds = upstream_bounds(&config.limits);
    let same_route = endpoint
        .upstream
        .as_ref()
        .is_none_or(|route| route.has_bounds(&bounds) && route.has_tls(tls));
    (endpoint.configured == *configured && same_route).then(|| Arc::clone(endpoint))
}

fn build_endpoint(
    configured: &EndpointConfig,
    config: &Config,
    tls: Option<Arc<ClientConfig>>,
    workers: usize,
) -> Result<Endpoint, StartError> {
    let address = configured.upstream.as_ref();
    // A replay endpoint has no route, so it cannot open an upstream connection.
    let target = address.filter(|_| configured.mode.needs_upstream());
    let route = target.map(|address| {
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

/// Loads the cassettes of the replaying endpoints, so that the first request is not slower than the
/// next ones.
pub(super) fn warm_up(snapshot: &Snapshot, sessions: &Sessions) -> Result<(), StartError> {
    for endpoint in snapshot.endpoints.values() {
        if matches!(endpoint.configured.mode, Mode::Record | Mode::Passthrough) {
            continue;
        }
        let failed = |error: ExchangeError| StartError::Cassette(error.to_string());
        let session = sessions.get_or_create(&endpoint.session);
        let session = session.map_err(|error| failed(error.into()))?;
        snapshot.make_index(sessions, &session).map_err(failed)?;
        if session.is_empty()
            && session.withheld().is_none()
            && endpoint.configured.mode == Mode::Replay
            && !is_unused_default(session.name(), sessions)
        {
            let (name, folder) = (session.name(), sessions.folder().root().display());
            let command = snapshot.command_in_mode(Mode::Record, endpoint, name);
            tracing::warn!(
                "session {name} has no recorded exchange in {folder}; record one with: {command}"
            );
        }
    }
    Ok(())
}

/// True if requests may well name sessions of their own: some are recorded, and the session of the
/// others is the default one.
fn is_unused_default(session: &str, sessions: &Sessions) -> bool {
    let recorded = || sessions.folder().list();
    session == DEFAULT_SESSION && recorded().is_ok_and(|recorded| !recorded.is_empty())
}

/// Builds the indexes of all sessions in use with the new plugins before the snapshot is published,
/// so that a reload never turns hits into misses.
pub(super) fn build_indexes(current: &Snapshot, next: &Snapshot, sessions: &Sessions) {
    for name in current.indexed() {
        let built = sessions
            .get_or_create(&name)
            .map_err(ExchangeError::from)
            .and_then(|session| next.make_index(sessions, &session));
        if let Err(error) = built {
            tracing::error!("session {name}: {error}");
        }
    }
}
