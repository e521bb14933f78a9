//! The state of the plugins while the gateway runs: live, rejected and draining versions.

use std::path::PathBuf;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::loaded::Loaded;
use crate::handler::Snapshot;
use ouli_plugin::{Plugin, UsageSnapshot};

/// The state of the plugins. Each generation replaces it; readers take no lock for it.
#[derive(Default)]
pub(super) struct PluginStatus {
    published: ArcSwap<Published>,
    /// Plugins and snapshots that were in force and may still be in use.
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

/// The state of all plugins, as the gateway reports it in JSON.
#[derive(Debug, Deserialize, Serialize)]
pub struct Status {
    /// The plugin folders.
    pub folders: Vec<PathBuf>,
    /// The generation in force.
    pub generation: u64,
    /// Earlier generations that requests still use.
    pub draining_generations: Vec<u64>,
    /// Plugins in force, in the order in which they are called.
    pub live: Vec<LivePlugin>,
    /// Versions that were rejected or rolled back.
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
    /// The first generation in which it is in force.
    pub since_generation: u64,
    /// Its declarations, one line each.
    pub declarations: Vec<String>,
    /// Patterns of the paths that it is called for; empty for all paths.
    pub routes: Vec<String>,
    /// Counters of its calls.
    pub usage: UsageSnapshot,
    /// Why it is not called at present, if it failed too often.
    pub paused: Option<String>,
    /// State that it keeps between calls, found by the self-test.
    pub retained_state: Option<String>,
    /// The SHA-256 of the previous version, which replaces it if it fails.
    pub fallback_sha256: Option<String>,
    /// The result of the shadow comparison with the previous version.
    pub shadow_comparison: Option<String>,
}

/// A rejected version.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RejectedPlugin {
    /// Its name.
    pub name: String,
    /// The stage that failed.
    pub stage: String,
    /// The reason.
    pub reason: String,
}

/// A version that is no longer in force, but still in use.
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
    /// Publishes the plugins of a new generation.
    pub(super) fn publish(
        &self,
        generation: u64,
        loaded: &Loaded,
        previous: Option<&Arc<Snapshot>>,
    ) {
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
            let mut retired = self.retired.lock();
            let is_live = |plugin: &Arc<Plugin>| live.iter().any(|row| row.references(plugin));
            let removed = old.live.iter().flat_map(|row| {
                let earlier = row.fallback.as_ref();
                let earlier = earlier.map(|plugin| (row.since.saturating_sub(1), plugin));
                std::iter::once((old.generation, &row.plugin)).chain(earlier)
            });
            let removed = removed.filter(|(_, plugin)| !is_live(plugin));
            let removed = removed.map(|(until, plugin)| (until, Arc::downgrade(plugin)));
            retired.plugins.extend(removed);
            let snapshot = previous.map(|one| (one.generation, Arc::downgrade(one)));
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

    /// The state at this moment.
    pub(super) fn status(&self) -> Status {
        let published = self.published.load();
        let mut retired = self.retired.lock();
        retired.prune();
        let draining = retired.plugins.iter().filter_map(|(until, plugin)| {
            let plugin = plugin.upgrade()?;
            let live = published.live.iter().any(|row| row.references(&plugin));
            (!live).then(|| DrainingPlugin {
                name: plugin.name().to_owned(),
                sha256: plugin.digest(),
                until_generation: *until,
            })
        });
        let generations = retired.snapshots.iter().map(|(generation, _)| *generation);
        Status {
            folders: published.folders.clone(),
            generation: published.generation,
            draining_generations: generations.collect(),
            live: published.live.iter().map(LiveEntry::live).collect(),
            rejected: published.rejected.clone(),
            draining: draining.collect(),
        }
    }
}

impl Retired {
    /// Removes what is no longer in use.
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
