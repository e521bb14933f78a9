//! Replaces a plugin: loads the new version, compares it with the previous one, accepts or rejects
//! it, and rolls it back if it fails.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::desired_plugins::{Candidate, DesiredPlugin};
use super::error::StartError;
use super::loaded::{Loaded, PluginSlot, RejectedVersion};
use super::options::Options;
use crate::session::{Comparison, Corpus, Sessions};
use ouli_codec::grpc::Schema;
use ouli_config::{Limits, OnDifference};
use ouli_plugin::{Plugin, PluginError, Plugins, Source};

/// The accepted plugins and the rejected versions.
pub(super) struct SwapOutcome {
    pub(super) plugins: Vec<PluginSlot>,
    pub(super) rejected: BTreeMap<String, RejectedVersion>,
    /// A plugin was left for later.
    pub(super) is_pending: bool,
}

/// Which changed plugins are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All.
    All,
    /// The built-in ones, whose settings are part of the configuration. Files may have to be
    /// compiled, which takes up to a minute; they are left for later.
    BuiltIn,
}

/// One reload of the plugins.
pub(super) struct PluginSwap<'a> {
    engine: &'static ouli_plugin::Engine,
    current: &'a [PluginSlot],
    rejected: &'a BTreeMap<String, RejectedVersion>,
    disabled_rules: &'a [String],
    schema: Schema,
    limits: &'a Limits,
    /// The sessions with recorded exchanges for the shadow comparison; none at the start.
    sessions: Option<&'a Sessions>,
    corpus: OnceCell<Corpus>,
}

impl<'a> PluginSwap<'a> {
    /// The first load, without a shadow comparison.
    pub(super) fn first(options: &Options, loaded: &'a Loaded) -> Result<Self, StartError> {
        Self::new(options, loaded, None)
    }

    /// A reload.
    pub(super) fn next(
        options: &Options,
        loaded: &'a Loaded,
        sessions: &'a Sessions,
    ) -> Result<Self, StartError> {
        Self::new(options, loaded, Some(sessions))
    }

    fn new(
        options: &Options,
        loaded: &'a Loaded,
        sessions: Option<&'a Sessions>,
    ) -> Result<Self, StartError> {
        let engine = ouli_plugin::engine::shared(&options.compile);
        Ok(Self {
            engine: engine.map_err(StartError::Engine)?,
            current: &loaded.plugins,
            rejected: &loaded.rejected,
            disabled_rules: &loaded.config.redaction.disabled_rules,
            schema: loaded.schema(),
            limits: &loaded.config.limits,
            sessions,
            corpus: OnceCell::new(),
        })
    }

    /// Loads changed plugins and keeps unchanged ones. A version that is rejected, cannot be read
    /// or is left for later leaves the last good one in force.
    pub(super) fn load_all(&self, desired: &[DesiredPlugin], scope: Scope) -> SwapOutcome {
        let names: Vec<_> = desired.iter().map(|one| one.name.clone()).collect();
        let mut outcome = SwapOutcome {
            plugins: Vec::new(),
            rejected: BTreeMap::new(),
            is_pending: false,
        };
        for DesiredPlugin { name, candidate } in desired {
            let old = self.current.iter().find(|slot| slot.source.name == *name);
            let Ok(candidate) = candidate else {
                outcome.plugins.extend(old.cloned());
                continue;
            };
            if let Some(slot) = old.filter(|slot| slot.source == candidate.source) {
                outcome.plugins.push(slot.clone());
                continue;
            }
            let known = self.rejected.get(name);
            let known = known.filter(|known| known.source == candidate.source);
            let result = match known {
                Some(known) => Err(Box::new(known.clone())),
                None if scope == Scope::BuiltIn && candidate.from_folder => {
                    outcome.is_pending = true;
                    outcome.plugins.extend(old.cloned());
                    continue;
                }
                None => self.load_candidate(candidate.clone(), old, &names),
            };
            match result {
                Ok(slot) => outcome.plugins.push(slot),
                Err(rejected) => {
                    outcome.plugins.extend(old.cloned());
                    outcome.rejected.insert(name.clone(), *rejected);
                }
            }
        }
        outcome
    }

    /// Loads a plugin with other settings.
    ///
    /// # Errors
    /// Why it is rejected.
    pub(super) fn try_settings(&self, source: &Source, settings: String) -> Result<(), String> {
        let source = Source {
            settings,
            initial_instances: 0,
            ..source.clone()
        };
        let plugin = Plugin::load(self.engine, &source);
        let plugin = plugin.map_err(|error| error.to_string())?;
        self.check_rules(&Arc::new(plugin))
    }

    /// Compiles the rules that a plugin declares.
    ///
    /// # Errors
    /// The rules that are invalid.
    fn check_rules(&self, plugin: &Arc<Plugin>) -> Result<(), String> {
        let alone = vec![Arc::clone(plugin)];
        let composed = Plugins::new(alone, self.disabled_rules, self.schema.clone());
        composed.map(drop).map_err(|error| error.to_string())
    }

    fn load_candidate(
        &self,
        candidate: Candidate,
        old: Option<&PluginSlot>,
        names: &[String],
    ) -> Result<PluginSlot, Box<RejectedVersion>> {
        let Candidate {
            source,
            from_folder,
            is_named,
            on_difference,
        } = candidate;
        let rejected = |source, stage, reason| {
            Box::new(RejectedVersion {
                source,
                stage,
                reason,
                is_skipped: false,
            })
        };
        let plugin = match Plugin::load(self.engine, &source) {
            Ok(plugin) => Arc::new(plugin),
            Err(error) => {
                let reason = settings_error(&source.name, from_folder, error.to_string());
                let is_unrelated = matches!(error, PluginError::Unrelated(_));
                return Err(Box::new(RejectedVersion {
                    is_skipped: is_unrelated && !is_named,
                    ..*rejected(source, error.stage(), reason)
                }));
            }
        };
        // The rules of files are compiled together, later; an error of these is one of settings.
        if !from_folder && let Err(reason) = self.check_rules(&plugin) {
            let reason = settings_error(&source.name, from_folder, reason);
            return Err(rejected(source, "probe", reason));
        }
        let comparison = match self.shadow_compare(&plugin, names) {
            Ok(comparison) => comparison,
            Err(reason) => return Err(rejected(source, "shadow", reason)),
        };
        if let Some(comparison) = &comparison {
            let strict = on_difference == OnDifference::Reject;
            if comparison.failures.count > 0 || (strict && !comparison.is_equal()) {
                return Err(rejected(source, "shadow", comparison.to_string()));
            }
            if !comparison.is_equal() {
                tracing::info!("plugin {}: {comparison}", source.name);
            }
        }
        Ok(PluginSlot {
            source,
            plugin,
            fallback: old.map(|old| (old.source.clone(), Arc::clone(&old.plugin))),
            comparison,
        })
    }

    /// Compares the plugins with the new version to those in force, on recorded exchanges.
    fn shadow_compare(
        &self,
        plugin: &Arc<Plugin>,
        names: &[String],
    ) -> Result<Option<Comparison>, String> {
        let Some(sessions) = self.sessions else {
            return Ok(None);
        };
        let limits = self.limits;
        let corpus = self
            .corpus
            .get_or_init(|| Corpus::of(sessions, limits.shadow_exchanges));
        let find = |name: &String| self.current.iter().find(|slot| slot.source.name == *name);
        let old = self.current.iter().map(|slot| Arc::clone(&slot.plugin));
        let new = names.iter().filter_map(|name| {
            if name == plugin.name() {
                return Some(Arc::clone(plugin));
            }
            find(name).map(|slot| Arc::clone(&slot.plugin))
        });
        let compose =
            |all: Vec<Arc<Plugin>>| Plugins::new(all, self.disabled_rules, self.schema.clone());
        let new = compose(new.collect()).map_err(|error| error.to_string())?;
        let Ok(old) = compose(old.collect()) else {
            return Ok(None);
        };
        let start = Instant::now();
        Ok(Some(corpus.compare(&old, &new, || {
            start.elapsed() >= limits.shadow_timeout
        })))
    }
}

/// Returns each plugin that fails too often to its previous version. True if there was one.
pub(super) fn roll_back(loaded: &mut Loaded) -> bool {
    let mut changed = false;
    for slot in &mut loaded.plugins {
        let Some(reason) = slot.plugin.breaker_reason() else {
            continue;
        };
        let Some((source, plugin)) = slot.fallback.take() else {
            continue;
        };
        let failed = std::mem::replace(
            slot,
            PluginSlot {
                source,
                plugin,
                fallback: None,
                comparison: None,
            },
        );
        let rejected = RejectedVersion {
            source: failed.source,
            stage: "live",
            reason: format!("rolled back: {reason}"),
            is_skipped: false,
        };
        loaded.rejected.insert(slot.source.name.clone(), rejected);
        changed = true;
    }
    changed
}

/// True if [`roll_back`] would change something.
pub(super) fn needs_rollback(loaded: &Loaded) -> bool {
    let mut slots = loaded.plugins.iter();
    slots.any(|slot| slot.fallback.is_some() && slot.plugin.breaker_reason().is_some())
}

/// A built-in plugin only fails because of its settings, so the error names their section.
fn settings_error(name: &str, from_folder: bool, reason: String) -> String {
    if from_folder || reason.starts_with('[') {
        return reason;
    }
    let section = name.trim_start_matches("builtin:");
    format!("[{section}] in the configuration: {reason}")
}
