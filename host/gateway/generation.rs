//! One generation as it is read from disk: the configuration and the plugins, each in its last good
//! version.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::descriptors::Descriptors;
use super::{Options, StartError, sources};
use crate::config::{Config, OnError};
use crate::exchange::grpc::Schema;
use crate::plugin::{self, Bounds, Plugin, Source};

/// The built-in plugins in the order in which they are asked, after all others.
const BUILTIN: [(&str, &[u8]); 3] = [
    (
        "builtin:matcher",
        include_bytes!(concat!(env!("OUT_DIR"), "/builtin_matcher.wasm")),
    ),
    (
        "builtin:redactor",
        include_bytes!(concat!(env!("OUT_DIR"), "/builtin_redactor.wasm")),
    ),
    (
        "builtin:policy",
        include_bytes!(concat!(env!("OUT_DIR"), "/builtin_policy.wasm")),
    ),
];

/// What was read and loaded.
#[derive(Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Arc<Config>,
    text: Option<String>,
    plugins: Vec<Slot>,
    descriptors: Descriptors,
    /// Sources that failed, so that the same failure is not reported again.
    rejected: BTreeMap<String, (Source, String)>,
    config_error: Option<String>,
}

/// A plugin in its last good version.
#[derive(Clone)]
struct Slot {
    source: Source,
    plugin: Arc<Plugin>,
}

impl Loaded {
    /// Reads the configuration and loads the plugins.
    pub fn read(options: &Options) -> Result<Self, StartError> {
        first(options)
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

    /// Versions of plugins that are not in force, and why.
    pub fn rejected(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.rejected.iter();
        all.map(|(name, (_, reason))| (name.as_str(), reason.as_str()))
    }

    /// Says which changes wait for a restart.
    pub(super) fn report_restart(&self, before: &Self) {
        let (new, old) = (&self.config, &before.config);
        let changed = [
            ("cassettes", new.cassettes != old.cassettes),
            ("fsync", new.fsync != old.fsync),
            ("log_format", new.log_format != old.log_format),
            ("[redaction] env", new.redaction.env != old.redaction.env),
            (
                "limits.connections",
                new.limits.connections != old.limits.connections,
            ),
            (
                "limits.in_flight",
                new.limits.in_flight != old.limits.in_flight,
            ),
            ("limits.streams", new.limits.streams != old.limits.streams),
            (
                "limits.sessions",
                new.limits.sessions != old.limits.sessions,
            ),
            (
                "limits.cassette",
                new.limits.cassette != old.limits.cassette,
            ),
            (
                "limits.inline_body",
                new.limits.inline_body != old.limits.inline_body,
            ),
            (
                "limits.recorder_queue",
                new.limits.recorder_queue != old.limits.recorder_queue,
            ),
            (
                "limits.recording_memory",
                new.limits.recording_memory != old.limits.recording_memory,
            ),
        ];
        for (key, _) in changed.iter().filter(|(_, changed)| *changed) {
            tracing::warn!("`{key}` changed: it takes effect at the next start");
        }
    }
}

/// Reads and loads everything for the first time. Any fault ends it.
pub(super) fn first(options: &Options) -> Result<Loaded, StartError> {
    let text = read_config(options)?;
    let config = parse(options, text.as_deref())?;
    check_folders(&config)?;
    let mut loaded = Loaded {
        descriptors: Descriptors::read(&config).map_err(StartError::Descriptors)?,
        config: Arc::new(config),
        text,
        plugins: Vec::new(),
        rejected: BTreeMap::new(),
        config_error: None,
    };
    let wanted = wanted(&loaded.config);
    let mut faults = wanted.faults;
    load(options, &mut loaded, wanted.sources, &[])?;
    faults.extend(
        loaded
            .rejected()
            .map(|(name, why)| format!("{name}: {why}")),
    );
    if faults.is_empty() {
        return Ok(loaded);
    }
    Err(StartError::Plugins(faults))
}

/// Reads the configuration alone.
pub fn config(options: &Options) -> Result<Config, StartError> {
    let text = read_config(options)?;
    parse(options, text.as_deref())
}

/// Reads everything again. None where nothing changed, or what changed is broken and was reported.
pub(super) fn next(options: &Options, before: &Loaded) -> Option<Loaded> {
    let mut loaded = before.clone();
    let config_changed = next_config(options, &mut loaded);
    let config = Arc::clone(&loaded.config);
    let schema_changed = loaded.descriptors.renew(&config);
    let wanted = wanted(&loaded.config);
    for fault in &wanted.faults {
        tracing::error!("{fault}\n  the last good version stays in force");
    }
    let before_plugins = std::mem::take(&mut loaded.plugins);
    if let Err(error) = load(options, &mut loaded, wanted.sources, &before_plugins) {
        tracing::error!("{error}");
        return None;
    }
    for (name, (source, reason)) in &loaded.rejected {
        let known = before
            .rejected
            .get(name)
            .is_some_and(|(old, _)| old == source);
        if !known {
            tracing::error!(
                "plugin {name} is not taken: {reason}\n  {}",
                stays(name, &loaded)
            );
        }
    }
    let same_plugins = loaded.plugins.len() == before_plugins.len()
        && loaded
            .plugins
            .iter()
            .zip(&before_plugins)
            .all(|(new, old)| Arc::ptr_eq(&new.plugin, &old.plugin));
    (config_changed
        || schema_changed
        || !same_plugins
        || loaded.rejected.len() != before.rejected.len())
    .then_some(loaded)
}

fn stays(name: &str, loaded: &Loaded) -> &'static str {
    if loaded.plugins.iter().any(|slot| slot.source.name == name) {
        "its last good version stays in force"
    } else {
        "the gateway goes on without it"
    }
}

/// Takes a changed configuration in; false where it is the same, or broken and reported.
fn next_config(options: &Options, loaded: &mut Loaded) -> bool {
    let read = read_config(options);
    let parsed = read.and_then(|text| {
        if text == loaded.text || is_half_written(text.as_deref(), loaded.text.as_deref()) {
            return Ok(None);
        }
        let config = parse(options, text.as_deref())?;
        check_folders(&config)?;
        Ok(Some((text, config)))
    });
    match parsed {
        Ok(None) => {
            loaded.config_error = None;
            false
        }
        Ok(Some((text, config))) => {
            let changed = config != *loaded.config;
            loaded.text = text;
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
        .map(|path| options.base.join(path));
    path.map(|path| {
        std::fs::read_to_string(&path).map_err(|source| StartError::Read { path, source })
    })
    .transpose()
}

fn parse(options: &Options, text: Option<&str>) -> Result<Config, StartError> {
    let file = options.config_file.as_deref().zip(text);
    Config::from_sources(file, &options.overrides, &options.base).map_err(StartError::Config)
}

/// A folder that was asked for must be there; the default one need not.
fn check_folders(config: &Config) -> Result<(), StartError> {
    let folders = &config.plugin_folders;
    let missing = folders.paths.iter().find(|path| !path.is_dir());
    match missing {
        Some(path) if folders.written => Err(StartError::PluginFolder(path.clone())),
        Some(_) | None => Ok(()),
    }
}

/// The plugins that should be in force, and what is wrong with the list.
struct Wanted {
    sources: Vec<(Source, bool)>,
    faults: Vec<String>,
}

fn wanted(config: &Config) -> Wanted {
    let folders = &config.plugin_folders.paths;
    let mut files = sources::plugins(folders, config.limits.plugin_file);
    let mut faults = Vec::new();
    let mut wanted = Vec::new();
    for plugin in &config.plugins {
        let Some(bytes) = files.remove(&plugin.file) else {
            faults.push(missing(&plugin.file, folders));
            continue;
        };
        match bytes {
            Ok(bytes) => {
                let settings = serde_json::Value::Object(plugin.settings.clone()).to_string();
                let source = Source {
                    name: plugin.file.clone(),
                    bytes,
                    routes: plugin.routes.clone(),
                    settings,
                    fail: plugin.on_error == OnError::Fail,
                };
                wanted.push((source, true));
            }
            Err(error) => faults.push(format!("{}: {error}", plugin.file)),
        }
    }
    // Files without a section follow in the order of their names.
    for (name, bytes) in files {
        match bytes {
            Ok(bytes) => wanted.push((plain(&name, bytes, "{}".to_owned()), true)),
            Err(error) => faults.push(format!("{name}: {error}")),
        }
    }
    for (name, bytes) in BUILTIN {
        let settings = match name {
            "builtin:matcher" => &config.builtin.matcher,
            "builtin:redactor" => &config.builtin.redactor,
            _ => &config.builtin.policy,
        };
        let settings = serde_json::Value::Object(settings.clone()).to_string();
        wanted.push((plain(name, bytes.into(), settings), false));
    }
    Wanted {
        sources: wanted,
        faults,
    }
}

fn plain(name: &str, bytes: Arc<[u8]>, settings: String) -> Source {
    Source {
        name: name.to_owned(),
        bytes,
        routes: Vec::new(),
        settings,
        fail: false,
    }
}

fn missing(file: &str, folders: &[PathBuf]) -> String {
    let folders: Vec<_> = folders
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    format!(
        "[[plugin]] names `{file}`, which is not in {}; put it there, or take the section out",
        folders.join(" or ")
    )
}

/// Loads what changed and keeps what did not; what cannot be loaded leaves its last good version.
fn load(
    options: &Options,
    loaded: &mut Loaded,
    wanted: Vec<(Source, bool)>,
    before: &[Slot],
) -> Result<(), StartError> {
    let engine = plugin::engine::shared(options.cache.as_deref()).map_err(StartError::Engine)?;
    let bounds = Bounds::from(&loaded.config.limits);
    let rejected = std::mem::take(&mut loaded.rejected);
    for (source, from_folder) in wanted {
        let old = before.iter().find(|slot| slot.source.name == source.name);
        if let Some(slot) =
            old.filter(|slot| slot.source == source && slot.plugin.is_under(&bounds))
        {
            loaded.plugins.push(slot.clone());
            continue;
        }
        let known = rejected.get(&source.name).filter(|(old, _)| *old == source);
        let result = match known {
            Some((_, reason)) => Err(reason.clone()),
            None => Plugin::load(engine, &source, bounds).map_err(|error| error.to_string()),
        };
        match result {
            Ok(plugin) => loaded.plugins.push(Slot {
                source,
                plugin: Arc::new(plugin),
            }),
            Err(reason) => {
                loaded.plugins.extend(old.cloned());
                let reason = explain(&source.name, from_folder, reason);
                loaded
                    .rejected
                    .insert(source.name.clone(), (source, reason));
            }
        }
    }
    Ok(())
}

/// A built-in plugin only fails over its settings, so the fault is in their section.
fn explain(name: &str, from_folder: bool, reason: String) -> String {
    if from_folder || reason.starts_with('[') {
        return reason;
    }
    let section = name.trim_start_matches("builtin:");
    format!("[{section}] in the configuration: {reason}")
}
