//! One generation as it is read from disk: the configuration and the plugins, each in its last good
//! version.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::descriptors::ProtoDescriptors;
use super::desired_plugins::desired_plugins;
use super::plugin_swap::{self, PluginSlot, PluginSwap, RejectedVersion};
use super::{Options, StartError};
use crate::session::Sessions;
use ouli_codec::grpc::Schema;
use ouli_config::{Config, LIMITS};
use ouli_plugin::Plugin;

/// What was read and loaded.
#[derive(Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Arc<Config>,
    config_text: Option<String>,
    pub(super) plugins: Vec<PluginSlot>,
    descriptors: ProtoDescriptors,
    /// Versions that were not taken, so that the same failure is not reported again.
    pub(super) rejected: BTreeMap<String, RejectedVersion>,
    config_error: Option<String>,
}

impl Loaded {
    /// Reads the configuration and loads the plugins.
    pub fn read(options: &Options) -> Result<Self, StartError> {
        load(options)
    }

    /// How messages of gRPC are read.
    pub fn schema(&self) -> Schema {
        self.descriptors.schema().clone()
    }

    /// The plugins in the order in which they are asked.
    pub fn plugins(&self) -> Vec<Arc<Plugin>> {
        let slots = self.plugins.iter();
        slots.map(|slot| Arc::clone(&slot.plugin)).collect()
    }

    /// Says which changes wait for a restart.
    pub(super) fn warn_restart_needed(&self, before: &Self) {
        let (new, old) = (&self.config, &before.config);
        let changed = [
            ("cassettes", new.cassettes != old.cassettes),
            ("fsync", new.fsync != old.fsync),
            ("log_format", new.log_format != old.log_format),
            ("[redaction] env", new.redaction.env != old.redaction.env),
        ];
        for (key, _) in changed.iter().filter(|(_, changed)| *changed) {
            tracing::warn!("`{key}` changed: it takes effect at the next start");
        }
        let limits = LIMITS.iter().flat_map(|group| group.rows);
        for limit in limits.filter(|limit| limit.is_restart_only()) {
            if limit.format_value(&new.limits) != limit.format_value(&old.limits) {
                let key = limit.key;
                tracing::warn!("`limits.{key}` changed: it takes effect at the next start");
            }
        }
    }
}

/// Reads and loads everything for the first time. Any fault ends it.
pub(super) fn load(options: &Options) -> Result<Loaded, StartError> {
    let text = read_config(options)?;
    let config = parse_config(options, text.as_deref())?;
    check_plugin_folders(&config)?;
    let mut loaded = Loaded {
        descriptors: ProtoDescriptors::read(&config).map_err(StartError::Descriptors)?,
        config: Arc::new(config),
        config_text: text,
        plugins: Vec::new(),
        rejected: BTreeMap::new(),
        config_error: None,
    };
    let wanted = desired_plugins(&loaded.config, options.instance_count());
    let mut faults = wanted.errors;
    let swap = PluginSwap::first(options, &loaded)?;
    let taken = swap.load_all(wanted.candidates);
    loaded.plugins = taken.plugins;
    let rejected = taken.rejected.into_iter();
    faults.extend(rejected.map(|(name, rejected)| format!("{name}: {}", rejected.reason)));
    if faults.is_empty() {
        return Ok(loaded);
    }
    Err(StartError::Plugins(faults))
}

/// Reads the configuration alone.
pub fn load_config(options: &Options) -> Result<Config, StartError> {
    let text = read_config(options)?;
    parse_config(options, text.as_deref())
}

/// Reads everything again. None where nothing changed, or what changed is broken and was reported.
pub(super) fn reload(options: &Options, before: &Loaded, sessions: &Sessions) -> Option<Loaded> {
    let mut loaded = before.clone();
    let config_changed = reload_config(options, &mut loaded);
    let config = Arc::clone(&loaded.config);
    let schema_changed = loaded.descriptors.reload(&config);
    let rolled_back = plugin_swap::roll_back(&mut loaded);
    let wanted = desired_plugins(&loaded.config, options.instance_count());
    for fault in &wanted.errors {
        tracing::error!("{fault}\n  the last good version stays in force");
    }
    let taken = match PluginSwap::next(options, &loaded, sessions) {
        Ok(swap) => swap.load_all(wanted.candidates),
        Err(error) => {
            tracing::error!("{error}");
            return None;
        }
    };
    let same_plugins = taken.plugins.len() == before.plugins.len()
        && taken
            .plugins
            .iter()
            .zip(&before.plugins)
            .all(|(new, old)| Arc::ptr_eq(&new.plugin, &old.plugin));
    loaded.plugins = taken.plugins;
    loaded.rejected = taken.rejected;
    for (name, rejected) in &loaded.rejected {
        if !before.rejected.get(name).is_some_and(|old| old == rejected) {
            let (stage, reason) = (rejected.stage, &rejected.reason);
            tracing::error!(
                "plugin {name} is not taken ({stage}): {reason}\n  {}",
                fallback_note(name, &loaded)
            );
        }
    }
    (config_changed
        || schema_changed
        || rolled_back
        || !same_plugins
        || loaded.rejected != before.rejected)
        .then_some(loaded)
}

fn fallback_note(name: &str, loaded: &Loaded) -> &'static str {
    if loaded.plugins.iter().any(|slot| slot.source.name == name) {
        "its last good version stays in force"
    } else {
        "the gateway goes on without it"
    }
}

/// Takes a changed configuration in; false where it is the same, or broken and reported.
fn reload_config(options: &Options, loaded: &mut Loaded) -> bool {
    let read = read_config(options);
    let parsed = read.and_then(|text| {
        if text == loaded.config_text
            || is_half_written(text.as_deref(), loaded.config_text.as_deref())
        {
            return Ok(None);
        }
        let config = parse_config(options, text.as_deref())?;
        check_plugin_folders(&config)?;
        Ok(Some((text, config)))
    });
    match parsed {
        Ok(None) => {
            loaded.config_error = None;
            false
        }
        Ok(Some((text, config))) => {
            let changed = config != *loaded.config;
            loaded.config_text = text;
            loaded.config = Arc::new(config);
            loaded.config_error = None;
            changed
        }
        Err(error) => {
            let error = error.to_string();
            if loaded.config_error.as_ref() != Some(&error) {
                tracing::error!("{error}\n  the last good configuration stays in force");
            }
            loaded.config_error = Some(error);
            false
        }
    }
}

/// An editor that writes in place empties the file first. Taken at its word, it would close every
/// endpoint for a moment.
fn is_half_written(now: Option<&str>, before: Option<&str>) -> bool {
    let is_empty = |text: Option<&str>| text.is_none_or(|text| text.trim().is_empty());
    is_empty(now) && !is_empty(before)
}

fn read_config(options: &Options) -> Result<Option<String>, StartError> {
    let path = options
        .config_file
        .as_ref()
        .map(|path| options.base_dir.join(path));
    path.map(|path| {
        std::fs::read_to_string(&path).map_err(|source| StartError::Read { path, source })
    })
    .transpose()
}

fn parse_config(options: &Options, text: Option<&str>) -> Result<Config, StartError> {
    let file = options.config_file.as_deref().zip(text);
    Config::from_sources(file, &options.overrides, &options.base_dir).map_err(StartError::Config)
}

/// A folder that was asked for must be there; the default one need not.
fn check_plugin_folders(config: &Config) -> Result<(), StartError> {
    let folders = &config.plugin_folders;
    let missing = folders.paths.iter().find(|path| !path.is_dir());
    match missing {
        Some(path) if folders.explicit => Err(StartError::PluginFolder(path.clone())),
        Some(_) | None => Ok(()),
    }
}
