//! The state that reloads and the file watcher share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use super::listeners::Listeners;
use super::loaded::Loaded;
use super::options::Options;
use super::plugin_status::PluginStatus;
use super::{load, plugin_swap, snapshot_builder, tls_settings};
use crate::handler::{SharedState, Snapshot};
use crate::session::{Counters, Sessions, Verdict};
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
    pub(super) stopped: AtomicBool,
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

    pub(super) fn verdict(&self) -> Verdict {
        let shared = &self.shared;
        verdict(&shared.sessions, &shared.counters, &shared.snapshot.load())
    }

    /// Counts what was in progress at the end of the shutdown timeout: its client has no whole
    /// answer, and its recording is lost.
    pub(super) fn count_unfinished(&self, count: usize) {
        let config = Arc::clone(&self.loaded.lock().config);
        if config.expects_requests() {
            let reason = "in progress at the end of limits.shutdown_timeout";
            let counters = &self.shared.counters;
            counters.count_defects(Defect::Partial, reason, count as u64);
        }
    }

    /// Applies what changed on disk; returns true if something did. Errors are logged, and the last
    /// good version stays in force.
    pub(super) fn reload(&self) -> bool {
        let mut loaded = self.loaded.lock();
        let sessions = &self.shared.sessions;
        let Some(next) = load::reload(&self.options, &loaded, sessions) else {
            return false;
        };
        let previous = self.shared.snapshot.load_full();
        let workers = self.options.worker_count();
        let snapshot = match snapshot_builder::build_snapshot(&next, Some(&previous), workers) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                tracing::error!("{error}\n  the last good version stays in force");
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
        for error in self.listeners.lock().apply(&next.config, &next.tls) {
            tracing::error!("{error}\n  the other endpoints are up to date");
        }
        next.warn_restart_needed(&loaded);
        *loaded = next;
        tracing::info!("generation {generation} is in force");
        true
    }
}

/// The verdict on all sessions, and on what belongs to none, under the rules of this snapshot.
pub(super) fn verdict(sessions: &Sessions, gateway: &Counters, snapshot: &Snapshot) -> Verdict {
    let all = sessions.all_reported();
    let sessions = all.iter().map(AsRef::as_ref);
    Verdict::of(sessions, gateway, snapshot.verdict_rules())
}
