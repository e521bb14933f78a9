//! The state that reloads and the file watcher share.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use super::listener_info::ListenerInfo;
use super::listeners::Listeners;
use super::loaded::Loaded;
use super::options::Options;
use super::plugin_status::PluginStatus;
use super::plugin_swap::Scope;
use super::{load, plugin_swap, snapshot_builder, tls_settings};
use crate::handler::{SharedState, Snapshot};
use crate::session::{Counters, Sessions, Verdict, VerdictRules};
use ouli_cassette::Writer;
use ouli_config::Defect;

/// The state of a running gateway that a reload changes.
pub(super) struct GatewayState {
    pub(super) options: Options,
    pub(super) shared: Arc<SharedState>,
    pub(super) listeners: Mutex<Listeners>,
    pub(super) loaded: Mutex<Loaded>,
    pub(super) plugin_status: Arc<PluginStatus>,
    pub(super) writer: Arc<Writer>,
    /// The shutdown has begun: the file watcher ends.
    pub(super) stopped: Arc<AtomicBool>,
    /// Held while plugins are loaded.
    pub(super) plugin_loading: Mutex<()>,
    /// A thread loads plugins.
    pub(super) is_loading_plugins: AtomicBool,
}

impl GatewayState {
    /// True if a plugin in force fails and has a previous version to return to.
    pub(super) fn needs_rollback(&self) -> bool {
        plugin_swap::needs_rollback(&self.loaded.lock())
    }

    /// The files and folders to watch.
    pub(super) fn watched_paths(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let config = Arc::clone(&self.loaded.lock().config);
        let files = self.options.config_path().into_iter();
        let files = files.chain(config.proto_descriptors.iter().cloned());
        let files = files.chain(tls_settings::files(&config));
        (files.collect(), config.plugin_folders.paths.clone())
    }

    /// The state in one line.
    pub(super) fn summary(&self) -> String {
        let generation = self.shared.snapshot.load().generation;
        let listeners = self.listeners.lock();
        let waiting = listeners.waiting().into_iter();
        let waiting = waiting.map(|(name, address, _)| format!(", {name} waits for {address}"));
        let (count, waiting) = (listeners.infos().len(), waiting.collect::<String>());
        format!("{count} endpoints, generation {generation}{waiting}")
    }

    /// Tries again to open listeners whose addresses were taken, once it is time.
    pub(super) fn retry_listeners(&self) {
        if self.listeners.lock().is_retry_due() {
            let loaded = self.loaded.lock();
            self.apply_listeners(&loaded);
        }
    }

    /// Opens, closes and updates the listeners.
    fn apply_listeners(&self, loaded: &Loaded) {
        let mut listeners = self.listeners.lock();
        let waited = listeners.waiting();
        for error in listeners.apply(&loaded.config, &loaded.tls) {
            tracing::error!(
                "{error}\n  the endpoint keeps the listener that it has, and tries again; the \
                 other endpoints are up to date"
            );
        }
        let waiting = listeners.waiting();
        for (name, address, _) in waited {
            let waits = waiting.iter().any(|(other, _, _)| *other == name);
            let is_open = |one: &ListenerInfo| one.endpoint == name && one.address == address;
            // The endpoint may have another address by now.
            if !waits && listeners.infos().iter().any(is_open) {
                tracing::info!("endpoint {name}: the listener on {address} is open now");
            }
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        let shared = &self.shared;
        verdict(
            &shared.sessions,
            &shared.counters,
            &shared.snapshot.load(),
            None,
        )
    }

    /// Counts what was in progress at the end of the shutdown timeout: its client has no whole
    /// answer, and its recording is lost.
    pub(super) fn count_unfinished(&self, count: usize) {
        // A reload may hold the lock of what is loaded.
        let config = Arc::clone(&self.shared.snapshot.load().config);
        if config.expects_requests() {
            let reason = "in progress at the end of limits.shutdown_timeout";
            let counters = &self.shared.counters;
            counters.count_defects(Defect::Partial, reason, count as u64);
        }
    }

    /// Applies what changed on disk; returns true if something did. Errors are logged, and the last
    /// good version stays in force.
    pub(super) fn reload(&self) -> bool {
        let is_changed = self.reload_configuration();
        self.load_pending_plugins() || is_changed
    }

    /// Applies what changed on disk, except for plugins from files: they are pending then, and the
    /// last good version of each stays in force.
    pub(super) fn reload_configuration(&self) -> bool {
        let mut loaded = self.loaded.lock();
        let Some((next, is_changed)) = load::reload(&self.options, &loaded, &self.shared.sessions)
        else {
            return false;
        };
        match is_changed {
            true => self.publish(&mut loaded, next),
            false => {
                *loaded = next;
                false
            }
        }
    }

    /// Loads the plugins that are pending; returns true if something changed. The configuration can
    /// be reloaded meanwhile.
    pub(super) fn load_pending_plugins(&self) -> bool {
        let _one_at_a_time = self.plugin_loading.lock();
        let mut is_changed = false;
        loop {
            let base = self.loaded.lock().clone();
            if !base.is_pending || self.stopped.load(Ordering::Acquire) {
                return is_changed;
            }
            // Without the lock: a plugin may have to be compiled.
            let sessions = &self.shared.sessions;
            let next = load::load_plugins(&self.options, base.clone(), sessions, Scope::All);
            let mut loaded = self.loaded.lock();
            let Some(next) = next else {
                loaded.is_pending = false;
                return is_changed;
            };
            if loaded.desired != base.desired || !loaded.has_plugins_of(&base) {
                // Files changed meanwhile. What was compiled is in the cache.
                continue;
            }
            let is_same = next.has_plugins_of(&base);
            let next = Loaded {
                plugins: next.plugins,
                rejected: next.rejected,
                is_pending: false,
                ..loaded.clone()
            };
            match is_same {
                true => *loaded = next,
                false => is_changed |= self.publish(&mut loaded, next),
            }
        }
    }

    /// Loads the plugins that are pending on a thread of their own, unless it runs already.
    pub(super) fn load_pending_plugins_in_background(self: &Arc<Self>) {
        if !self.loaded.lock().is_pending || self.is_loading_plugins.swap(true, Ordering::AcqRel) {
            return;
        }
        let state = Arc::clone(self);
        let spawned = std::thread::Builder::new()
            .name("ouli-plugins".to_owned())
            .spawn(move || {
                let loaded = catch_unwind(AssertUnwindSafe(|| state.load_pending_plugins()));
                if loaded.is_err() {
                    tracing::error!("the plugins are not loaded: the gateway itself failed at it");
                    // They would fail again.
                    state.loaded.lock().is_pending = false;
                }
                state.is_loading_plugins.store(false, Ordering::Release);
            });
        if let Err(error) = spawned {
            tracing::error!("cannot start a thread to load plugins: {error}");
            self.is_loading_plugins.store(false, Ordering::Release);
        }
    }

    /// Puts a generation in force. Returns false if that fails, which is logged.
    fn publish(&self, loaded: &mut Loaded, next: Loaded) -> bool {
        let sessions = &self.shared.sessions;
        let previous = self.shared.snapshot.load_full();
        let workers = self.options.worker_count();
        let snapshot = match snapshot_builder::build_snapshot(&next, Some(&previous), workers) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                let error = load::log_lines(&error);
                tracing::error!("{error}\n  the last good version stays in force");
                // The same plugins would fail again.
                loaded.is_pending = false;
                return false;
            }
        };
        snapshot_builder::build_indexes(&previous, &snapshot, sessions);
        let generation = snapshot.generation;
        self.shared.snapshot.store(Arc::new(snapshot));
        self.plugin_status
            .publish(generation, &next, Some(&previous));
        let current = self.shared.snapshot.load();
        sessions.publish(&current.config, &current.indexes);
        self.apply_listeners(&next);
        next.warn_restart_needed(loaded);
        *loaded = next;
        tracing::info!("generation {generation} is in force");
        true
    }
}

/// The verdict on all sessions, and on what belongs to none, under the rules of this snapshot.
pub(super) fn verdict(
    sessions: &Sessions,
    gateway: &Counters,
    snapshot: &Snapshot,
    checked_until: Option<Instant>,
) -> Verdict {
    let all = sessions.all_reported();
    let sessions = all.iter().map(AsRef::as_ref);
    let rules = VerdictRules {
        checked_until,
        ..snapshot.verdict_rules()
    };
    Verdict::of(sessions, gateway, rules)
}
