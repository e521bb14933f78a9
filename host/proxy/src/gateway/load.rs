//! Reads one generation from disk, at the start and at each reload.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::builtin_settings;
use super::descriptor_limits;
use super::desired_plugins::{DesiredPlugin, Unreadable, desired_plugins};
use super::environment_secrets;
use super::error::{MissingFolder, StartError};
use super::loaded::{Loaded, RejectedVersion};
use super::options::{ConfigSource, Options};
use super::plugin_swap::{self, PluginSwap, Scope};
use super::proto_descriptors::ProtoDescriptors;
use super::tls_settings::TlsSettings;
use crate::session::Sessions;
use ouli_config::{CommandLine, Config, Mode};

/// The largest configuration file, in bytes. It cannot name a limit of its own.
const MAX_CONFIG_SIZE: usize = 1 << 20;

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
    let config = fit_descriptors(options, config, None)?;
    let (loaded, errors) = load_parts(options, text, config)?;
    errors.into_iter().next().map_or(Ok(loaded), Err)
}

/// Reads what can be read, for a check: everything, and all errors.
pub(super) fn load_with_errors(options: &Options) -> Result<(Loaded, Vec<StartError>), StartError> {
    let text = read_config(options)?;
    let file = config_file(options, text.as_deref());
    let (config, invalid) = Config::with_errors(file, &options.overrides, &options.base_dir);
    let (loaded, mut errors) = load_parts(options, text, config)?;
    if let Some(invalid) = invalid {
        errors.insert(0, StartError::Config(invalid));
    }
    Ok((loaded, errors))
}

/// Reads the files that a configuration names.
fn load_parts(
    options: &Options,
    config_text: Option<String>,
    config: Config,
) -> Result<(Loaded, Vec<StartError>), StartError> {
    let mut errors = Vec::new();
    errors.extend(check_plugin_folders(&config).err());
    errors.extend(check_cassette_folder(&config).err());
    errors.extend(environment_secrets::check(&config, options).err());
    let descriptors = ProtoDescriptors::read(&config).unwrap_or_else(|error| {
        errors.push(StartError::Descriptors(error));
        ProtoDescriptors::default()
    });
    let (tls, tls_errors) = TlsSettings::read(&config);
    errors.extend(tls_errors);
    let config = Arc::new(config);
    let mut loaded = Loaded {
        descriptors,
        tls,
        started: Arc::clone(&config),
        config,
        command: Arc::new(command_line(options)),
        config_text,
        plugins: Vec::new(),
        rejected: BTreeMap::new(),
        desired: Vec::new(),
        is_pending: false,
        config_error: None,
    };
    let desired = desired_plugins(&loaded.config, options.instance_count());
    let (skipped_files, unreadable) = unreadable(&desired)
        .into_iter()
        .partition::<Vec<_>, _>(|(_, error)| error.is_skipped);
    for (name, error) in skipped_files {
        let reason = &error.reason;
        tracing::warn!("{name} in the plugins folder is skipped: it {reason}");
    }
    let unreadable = unreadable.into_iter();
    let mut invalid: Vec<_> = unreadable.map(unreadable_line).collect();
    let swap = PluginSwap::first(options, &loaded)?;
    let file = config_file(options, loaded.config_text.as_deref());
    let outcome = swap.load_all(&desired, Scope::All);
    let (skipped, rejected): (BTreeMap<_, _>, BTreeMap<_, _>) = outcome
        .rejected
        .into_iter()
        .partition(|(_, rejected)| rejected.is_skipped);
    for (name, rejected) in rejected {
        let settings = builtin_settings::errors(&swap, &rejected.source, |path| {
            Config::place_of(file, &options.overrides, path)
        });
        match settings.is_empty() {
            true => invalid.push(format!("{name}: {}", rejected.reason)),
            false => invalid.extend(settings),
        }
    }
    loaded.plugins = outcome.plugins;
    loaded.desired = desired;
    log_rejected(&skipped, &loaded);
    loaded.rejected = skipped;
    if !invalid.is_empty() {
        errors.push(StartError::Plugins(invalid));
    }
    Ok((loaded, errors))
}

/// Reads everything again, except that plugins from files are only read and not loaded: they are
/// pending then. Returns true with it if it differs from what is in force. `None` if the change is
/// invalid, which is logged.
pub(super) fn reload(
    options: &Options,
    previous: &Loaded,
    sessions: &Sessions,
) -> Option<(Loaded, bool)> {
    let mut loaded = previous.clone();
    let config_changed = reload_config(options, &mut loaded);
    let config = Arc::clone(&loaded.config);
    let schema_changed = loaded.descriptors.reload(&config);
    let tls_changed = match loaded.tls.reload(&config) {
        Ok(changed) => changed,
        Err(error) => {
            let error = log_lines(&error);
            tracing::error!("{error}\n  the last good version stays in force");
            return None;
        }
    };
    let rolled_back = plugin_swap::roll_back(&mut loaded);
    let desired = desired_plugins(&loaded.config, options.instance_count());
    let known = unreadable(&previous.desired);
    for error in unreadable(&desired) {
        if !known.contains(&error) {
            let note = fallback_note(error.0, &loaded);
            tracing::error!("{}\n  {note}", unreadable_line(error));
        }
    }
    loaded.desired = desired;
    let loaded = load_plugins(options, loaded, sessions, Scope::BuiltIn)?;
    let is_changed = config_changed
        || schema_changed
        || tls_changed
        || rolled_back
        || !loaded.has_plugins_of(previous);
    Some((loaded, is_changed))
}

/// Loads the desired plugins that are not in force. `None` if the engine does not start, which is
/// logged.
pub(super) fn load_plugins(
    options: &Options,
    mut loaded: Loaded,
    sessions: &Sessions,
    scope: Scope,
) -> Option<Loaded> {
    let outcome = match PluginSwap::next(options, &loaded, sessions) {
        Ok(swap) => swap.load_all(&loaded.desired, scope),
        Err(error) => {
            tracing::error!("{error}");
            return None;
        }
    };
    loaded.plugins = outcome.plugins;
    loaded.is_pending = outcome.is_pending;
    let new = outcome.rejected.iter();
    let new = new.filter(|(name, rejected)| loaded.rejected.get(*name) != Some(rejected));
    let new = new.map(|(name, rejected)| (name.clone(), rejected.clone()));
    log_rejected(&new.collect(), &loaded);
    loaded.rejected = outcome.rejected;
    Some(loaded)
}

/// The plugins whose files cannot be read.
fn unreadable(desired: &[DesiredPlugin]) -> Vec<(&str, &Unreadable)> {
    let failed = desired.iter().filter_map(|one| {
        let error = one.candidate.as_ref().err()?;
        Some((&*one.name, error))
    });
    failed.collect()
}

fn unreadable_line((name, error): (&str, &Unreadable)) -> String {
    format!("{name}: {}", error.reason)
}

fn log_rejected(rejected: &BTreeMap<String, RejectedVersion>, loaded: &Loaded) {
    for (name, rejected) in rejected {
        let (stage, reason) = (rejected.stage, &rejected.reason);
        if rejected.is_skipped {
            tracing::warn!("{name} in the plugins folder is no plugin and is skipped: {reason}");
            continue;
        }
        tracing::error!(
            "plugin {name} is rejected ({stage}): {reason}\n  {}",
            fallback_note(name, loaded)
        );
    }
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
        if text == loaded.config_text {
            return Ok(None);
        }
        if is_emptied(text.as_deref(), loaded.config_text.as_deref()) {
            return Err(StartError::EmptiedConfig);
        }
        let config = parse_config(options, text.as_deref())?;
        let config = fit_descriptors(options, config, Some(&loaded.config))?;
        check_plugin_folders(&config)?;
        environment_secrets::check(&config, options)?;
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
                let error = log_lines(&error);
                tracing::error!("{error}\n  the last good configuration stays in force");
            }
            loaded.config_error = Some(error);
            false
        }
    }
}

/// An error as the message of a log record: each further line is indented, or else the line break
/// would be escaped.
pub(super) fn log_lines(error: &impl ToString) -> String {
    error.to_string().replace('\n', "\n  ")
}

/// An editor that writes in place truncates the file first. An empty configuration would close
/// every endpoint for a moment.
fn is_emptied(now: Option<&str>, before: Option<&str>) -> bool {
    let is_empty = |text: Option<&str>| text.is_none_or(|text| text.trim().is_empty());
    is_empty(now) && !is_empty(before)
}

fn read_config(options: &Options) -> Result<Option<String>, StartError> {
    match &options.config {
        ConfigSource::Default => Ok(None),
        ConfigSource::Text(text) => Ok(Some(text.clone())),
        ConfigSource::File(path) => {
            let path = options.base_dir.join(path);
            let text = ouli_files::read_text(&path, MAX_CONFIG_SIZE);
            text.map(Some)
                .map_err(|source| StartError::Read { path, source })
        }
        ConfigSource::OptionalFile(path) => {
            let path = options.base_dir.join(path);
            match ouli_files::read_text(&path, MAX_CONFIG_SIZE) {
                Ok(text) => Ok(Some(text)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(source) => Err(StartError::Read { path, source }),
            }
        }
    }
}

/// The command with which the gateway was started.
fn command_line(options: &Options) -> CommandLine {
    let file = match &options.config {
        ConfigSource::File(path) | ConfigSource::OptionalFile(path) => Some(path.as_path()),
        ConfigSource::Default | ConfigSource::Text(_) => None,
    };
    CommandLine::new(file, &options.overrides)
}

/// Lowers the limits that need more file descriptors than the process may open, and says so if they
/// differ from those in force. An error if it may open too few to serve at all.
fn fit_descriptors(
    options: &Options,
    mut config: Config,
    in_force: Option<&Config>,
) -> Result<Config, StartError> {
    let Some(descriptors) = options.max_descriptors else {
        return Ok(config);
    };
    check_descriptors(options, &config)?;
    let lowered = descriptor_limits::fit(&mut config, options.worker_count(), descriptors);
    let is_new = in_force.is_none_or(|in_force| in_force.limits != config.limits);
    if is_new && !lowered.is_empty() {
        tracing::warn!(
            "the process may open {descriptors} files, fewer than the limits need; in force are \
             limits.{}; more connections wait, then get 503: raise `ulimit -n` (systemd: \
             LimitNOFILE=), or lower these limits",
            lowered.join(", limits.")
        );
    }
    Ok(config)
}

/// Whether the process may open as many files as the gateway needs.
///
/// # Errors
/// If not: how many it needs.
pub fn check_descriptors(options: &Options, config: &Config) -> Result<(), StartError> {
    let Some(available) = options.max_descriptors else {
        return Ok(());
    };
    let needed = descriptor_limits::least(config, options.worker_count());
    match available < needed {
        true => Err(StartError::OpenFiles { available, needed }),
        false => Ok(()),
    }
}

fn parse_config(options: &Options, text: Option<&str>) -> Result<Config, StartError> {
    let file = config_file(options, text);
    Config::from_sources(file, &options.overrides, &options.base_dir).map_err(StartError::Config)
}

/// The name and the text of the configuration.
fn config_file<'a>(options: &'a Options, text: Option<&'a str>) -> Option<(&'a Path, &'a str)> {
    let name = match &options.config {
        ConfigSource::File(path) | ConfigSource::OptionalFile(path) => path.as_path(),
        ConfigSource::Default | ConfigSource::Text(_) => Path::new("configuration"),
    };
    text.map(|text| (name, text))
}

/// A cassette folder named by the user must exist if it is only read.
fn check_cassette_folder(config: &Config) -> Result<(), StartError> {
    let modes = || config.endpoints.iter().map(|endpoint| endpoint.mode);
    let is_read = modes().any(|mode| mode == Mode::Replay);
    let is_created = modes().any(|mode| matches!(mode, Mode::Record | Mode::Auto));
    let is_required = config.cassettes_explicit && is_read && !is_created;
    match is_required && !config.cassettes.is_dir() {
        true => Err(StartError::CassetteFolder(MissingFolder::at(
            &config.cassettes,
        ))),
        false => Ok(()),
    }
}

/// A plugin folder named by the user must exist; the default one may be missing.
fn check_plugin_folders(config: &Config) -> Result<(), StartError> {
    let folders = &config.plugin_folders;
    let missing = folders.paths.iter().find(|path| !path.is_dir());
    match missing {
        Some(path) if folders.explicit => Err(StartError::PluginFolder(MissingFolder::at(path))),
        Some(_) | None => Ok(()),
    }
}
