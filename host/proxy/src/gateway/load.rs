//! Reads one generation from disk, at the start and at each reload.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::desired_plugins::desired_plugins;
use super::error::StartError;
use super::loaded::Loaded;
use super::options::{ConfigSource, Options};
use super::plugin_swap::{self, PluginSwap};
use super::proto_descriptors::ProtoDescriptors;
use crate::session::Sessions;
use ouli_config::{CommandLine, Config};

impl Loaded {
    /// Reads the configuration and loads the plugins.
    pub fn read(options: &Options) -> Result<Self, StartError> {
        load(options)
    }
}

/// Reads the configuration alone.
pub fn load_config(options: &Options) -> Result<Config, StartError> {
    let text = read_config(options)?;
    parse_config(options, text.as_deref())
}

/// Reads everything at the start. Any error is final.
pub(super) fn load(options: &Options) -> Result<Loaded, StartError> {
    let text = read_config(options)?;
    let config = parse_config(options, text.as_deref())?;
    check_plugin_folders(&config)?;
    let mut loaded = Loaded {
        descriptors: ProtoDescriptors::read(&config).map_err(StartError::Descriptors)?,
        config: Arc::new(config),
        command: Arc::new(command_line(options)),
        config_text: text,
        plugins: Vec::new(),
        rejected: BTreeMap::new(),
        config_error: None,
    };
    let desired = desired_plugins(&loaded.config, options.instance_count());
    let mut errors = desired.errors;
    let swap = PluginSwap::first(options, &loaded)?;
    let outcome = swap.load_all(desired.candidates);
    loaded.plugins = outcome.plugins;
    let rejected = outcome.rejected.into_iter();
    errors.extend(rejected.map(|(name, rejected)| format!("{name}: {}", rejected.reason)));
    if errors.is_empty() {
        return Ok(loaded);
    }
    Err(StartError::Plugins(errors))
}

/// Reads everything again. Returns `None` if nothing changed, or if the change is invalid, which is
/// logged.
pub(super) fn reload(options: &Options, previous: &Loaded, sessions: &Sessions) -> Option<Loaded> {
    let mut loaded = previous.clone();
    let config_changed = reload_config(options, &mut loaded);
    let config = Arc::clone(&loaded.config);
    let schema_changed = loaded.descriptors.reload(&config);
    let rolled_back = plugin_swap::roll_back(&mut loaded);
    let desired = desired_plugins(&loaded.config, options.instance_count());
    for error in &desired.errors {
        tracing::error!("{error}\n  the last good version stays in force");
    }
    let outcome = match PluginSwap::next(options, &loaded, sessions) {
        Ok(swap) => swap.load_all(desired.candidates),
        Err(error) => {
            tracing::error!("{error}");
            return None;
        }
    };
    let same_plugins = outcome.plugins.len() == previous.plugins.len()
        && outcome
            .plugins
            .iter()
            .zip(&previous.plugins)
            .all(|(new, old)| Arc::ptr_eq(&new.plugin, &old.plugin));
    loaded.plugins = outcome.plugins;
    loaded.rejected = outcome.rejected;
    for (name, rejected) in &loaded.rejected {
        if previous.rejected.get(name) != Some(rejected) {
            let (stage, reason) = (rejected.stage, &rejected.reason);
            tracing::error!(
                "plugin {name} is rejected ({stage}): {reason}\n  {}",
                fallback_note(name, &loaded)
            );
        }
    }
    (config_changed
        || schema_changed
        || rolled_back
        || !same_plugins
        || loaded.rejected != previous.rejected)
        .then_some(loaded)
}

fn fallback_note(name: &str, loaded: &Loaded) -> &'static str {
    if loaded.plugins.iter().any(|slot| slot.source.name == name) {
        "the last good version stays in force"
    } else {
        "the gateway continues without it"
    }
}

/// Reads the configuration again. Returns false if it is unchanged, or if it is invalid, which is
/// logged.
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

/// An editor that writes in place truncates the file first. An empty configuration would close
/// every endpoint for a moment.
fn is_half_written(now: Option<&str>, before: Option<&str>) -> bool {
    let is_empty = |text: Option<&str>| text.is_none_or(|text| text.trim().is_empty());
    is_empty(now) && !is_empty(before)
}

fn read_config(options: &Options) -> Result<Option<String>, StartError> {
    match &options.config {
        ConfigSource::Default => Ok(None),
        ConfigSource::Text(text) => Ok(Some(text.clone())),
        ConfigSource::File(path) => {
            let path = options.base_dir.join(path);
            let text = std::fs::read_to_string(&path);
            text.map(Some)
                .map_err(|source| StartError::Read { path, source })
        }
    }
}

/// The command with which the gateway was started.
fn command_line(options: &Options) -> CommandLine {
    let file = match &options.config {
        ConfigSource::File(path) => Some(path.as_path()),
        ConfigSource::Default | ConfigSource::Text(_) => None,
    };
    CommandLine::new(file, &options.overrides)
}

fn parse_config(options: &Options, text: Option<&str>) -> Result<Config, StartError> {
    let name = match &options.config {
        ConfigSource::File(path) => path.as_path(),
        ConfigSource::Default | ConfigSource::Text(_) => Path::new("configuration"),
    };
    let file = text.map(|text| (name, text));
    Config::from_sources(file, &options.overrides, &options.base_dir).map_err(StartError::Config)
}

/// A plugin folder named by the user must exist; the default one may be missing.
fn check_plugin_folders(config: &Config) -> Result<(), StartError> {
    let folders = &config.plugin_folders;
    let missing = folders.paths.iter().find(|path| !path.is_dir());
    match missing {
        Some(path) if folders.explicit => Err(StartError::PluginFolder(path.clone())),
        Some(_) | None => Ok(()),
    }
}
