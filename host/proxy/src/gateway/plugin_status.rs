//! What is live, what was rejected and what drains, for those who ask while the gateway runs.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use super::generation::Loaded;
use crate::handler::Snapshot;
use ouli_plugin::{Plugin, UsageSnapshot};

/// The state of the plugins, changed with each generation and read without waiting.
#[derive(Default)]
pub(super) struct PluginStatus {
    published: ArcSwap<Published>,
    /// Plugins and generations that were in force and may still be in use.
    retired: Mutex<Retired>,
}

#[derive(Default)]
struct Published {
    folders: Vec<PathBuf>,
    generation: u64,
    live: Vec<LiveEntry>,
    rejected: Vec<RejectedPlugin>,
}

#[derive(Clone)]
struct LiveEntry {
    plugin: Arc<Plugin>,
    since: u64,
    fallback: Option<Arc<Plugin>>,
    comparison: Option<String>,
}

#[derive(Default)]
struct Retired {
    plugins: Vec<(u64, Weak<Plugin>)>,
    snapshots: Vec<(u64, Weak<Snapshot>)>,
}

/// Everything at one moment, as it is sent.
#[derive(Debug, Deserialize, Serialize)]
pub struct Status {
    /// The folders that it takes plugins from.
    pub folders: Vec<PathBuf>,
    /// The generation in force.
    pub generation: u64,
    /// Generations before it that requests still hold.
    pub draining_generations: Vec<u64>,
    /// Plugins in force, in the order in which they are asked.
    pub live: Vec<LivePlugin>,
    /// Versions that were not taken, or were taken back.
    pub rejected: Vec<RejectedPlugin>,
    /// Versions that are no longer in force but still in use.
    pub draining: Vec<DrainingPlugin>,
}

/// A plugin in force.
#[derive(Debug, Deserialize, Serialize)]
pub struct LivePlugin {
    /// Its name.
    pub name: String,
    /// The SHA-256 of its file in lower-case hex.
    pub sha256: String,
    /// The generation since which it is in force.
    pub since_generation: u64,
    /// What it declared, a line each.
    pub declarations: Vec<String>,
    /// Patterns of the paths that it is asked for; none means all.
    pub routes: Vec<String>,
    /// What it was used for.
    pub usage: UsageSnapshot,
    /// Why it is not asked now, where it failed too often.
    pub paused: Option<String>,
    /// What its self-test found.
    pub retained_state: Option<String>,
    /// The SHA-256 of the version that takes its place should it fail.
    pub fallback_sha256: Option<String>,
    /// How it compared with the version before it.
    pub shadow_comparison: Option<String>,
}

/// A version that is not in force.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RejectedPlugin {
    /// Its name.
    pub name: String,
    /// Where it failed.
    pub stage: String,
    /// Why.
    pub reason: String,
}

/// A version that is still in use.
#[derive(Debug, Deserialize, Serialize)]
pub struct DrainingPlugin {
    /// Its name.
    pub name: String,
    /// The SHA-256 of its file in lower-case hex.
    pub sha256: String,
    /// The last generation in which it was in force.
    pub until_generation: u64,
}

impl PluginStatus {
    /// Notes what is in force from now on, and what was before.
    pub(super) fn publish(&self, generation: u64, loaded: &Loaded, before: Option<&Arc<Snapshot>>) {
        let old = self.published.load();
        let since = |plugin: &Arc<Plugin>| {
            let known = old.live.iter().find(|row| Arc::ptr_eq(&row.plugin, plugin));
            known.map_or(generation, |row| row.since)
        };
        let live: Vec<_> = loaded
            .plugins
            .iter()
            .map(|slot| LiveEntry {
                since: since(&slot.plugin),
                plugin: Arc::clone(&slot.plugin),
                fallback: slot.fallback.as_ref().map(|(_, plugin)| Arc::clone(plugin)),
                comparison: slot.comparison.as_ref().map(ToString::to_string),
            })
            .collect();
        let rejected = loaded
            .rejected
            .iter()
            .map(|(name, one)| RejectedPlugin {
                name: name.clone(),
                stage: one.stage.to_owned(),
                reason: one.reason.clone(),
            })
            .collect();
        {
            let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
            let is_kept = |plugin: &Arc<Plugin>| live.iter().any(|row| row.references(plugin));
            let gone = old.live.iter().flat_map(|row| {
                let earlier = row.fallback.as_ref();
                let earlier = earlier.map(|plugin| (row.since.saturating_sub(1), plugin));
                std::iter::once((old.generation, &row.plugin)).chain(earlier)
            });
            let gone = gone.filter(|(_, plugin)| !is_kept(plugin));
            let gone = gone.map(|(until, plugin)| (until, Arc::downgrade(plugin)));
            retired.plugins.extend(gone);
            let snapshot = before.map(|one| (one.generation, Arc::downgrade(one)));
            retired.snapshots.extend(snapshot);
            retired.prune();
        }
        self.published.store(Arc::new(Published {
            folders: loaded.config.plugin_folders.paths.clone(),
            generation,
            live,
            rejected,
        }));
    }

    /// Everything at this moment.
    pub(super) fn status(&self) -> Status {
        let shown = self.published.load();
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        retired.prune();
        let draining = retired.plugins.iter().filter_map(|(until, plugin)| {
            let plugin = plugin.upgrade()?;
            let kept = shown.live.iter().any(|row| row.references(&plugin));
            (!kept).then(|| DrainingPlugin {
                name: plugin.name().to_owned(),
                sha256: plugin.digest(),
                until_generation: *until,
            })
        });
        let generations = retired.snapshots.iter().map(|(generation, _)| *generation);
        Status {
            folders: shown.folders.clone(),
            generation: shown.generation,
            draining_generations: generations.collect(),
            live: shown.live.iter().map(LiveEntry::live).collect(),
            rejected: shown.rejected.clone(),
            draining: draining.collect(),
        }
    }
}

impl Retired {
    /// Forgets what nobody uses any more.
    fn prune(&mut self) {
        self.plugins.retain(|(_, plugin)| plugin.strong_count() > 0);
        self.snapshots.retain(|(_, one)| one.strong_count() > 0);
    }
}

impl LiveEntry {
    fn references(&self, plugin: &Arc<Plugin>) -> bool {
        let earlier = self.fallback.as_ref();
        Arc::ptr_eq(&self.plugin, plugin) || earlier.is_some_and(|one| Arc::ptr_eq(one, plugin))
    }

    fn live(&self) -> LivePlugin {
        let plugin = &self.plugin;
        LivePlugin {
            name: plugin.name().to_owned(),
            sha256: plugin.digest(),
            since_generation: self.since,
            declarations: plugin.describe(),
            routes: plugin.routes().to_vec(),
            usage: plugin.usage(),
            paused: plugin.breaker_reason(),
            retained_state: plugin.state_dependence().map(str::to_owned),
            fallback_sha256: self.fallback.as_ref().map(|plugin| plugin.digest()),
            shadow_comparison: self.comparison.clone(),
        }
    }
}
