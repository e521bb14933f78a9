//! The plugins that should be in force: the files in the plugin folders with their `[[plugin]]`
//! sections, then the built-in ones.

use std::path::PathBuf;
use std::sync::Arc;

use super::source_files;
use ouli_config::{Config, Instances, OnDifference, OnError, Plugin as PluginConfig};
use ouli_plugin::{Bounds, Source};

/// The name of the built-in redactor.
pub(super) const REDACTOR: &str = "builtin:redactor";

/// The built-in plugins, in the order in which they are called, after all others.
const BUILTIN: [(&str, &[u8]); 3] = [
    ("builtin:matcher", ouli_plugin::builtin::MATCHER),
    (REDACTOR, ouli_plugin::builtin::REDACTOR),
    ("builtin:policy", ouli_plugin::builtin::POLICY),
];

/// A plugin that should be in force, by its name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DesiredPlugin {
    pub(super) name: String,
    /// The plugin, or why its file cannot be read.
    pub(super) candidate: Result<Candidate, Unreadable>,
}

/// A file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) reason: String,
    /// Nobody named it, and it is no plugin: the gateway starts without it.
    pub(super) is_skipped: bool,
}

/// A plugin that should be in force.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) source: Source,
    /// The plugin is a file of the user; false for a built-in one.
    pub(super) from_folder: bool,
    /// The configuration names it. One that it does not name may be no plugin at all.
    pub(super) is_named: bool,
    pub(super) on_difference: OnDifference,
}

/// Reads the plugin folders. `instances` of each plugin are started before the first call.
pub(super) fn desired_plugins(config: &Config, instances: usize) -> Vec<DesiredPlugin> {
    let folders = &config.plugin_folders.paths;
    let mut files = source_files::plugins(folders, config.limits.plugin_file);
    let mut desired = Vec::new();
    let mut add = |name: &str, candidate| {
        let name = name.to_owned();
        desired.push(DesiredPlugin { name, candidate });
    };
    for plugin in &config.plugins {
        let name = &plugin.file;
        let read = match files.remove(name) {
            Some(read) => read.map_err(|error| error.reason),
            None => Err(missing_file(folders)),
        };
        let read = read.map_err(|reason| Unreadable {
            reason,
            is_skipped: false,
        });
        add(name, read.map(|bytes| configured(plugin, bytes, instances)));
    }
    let bounds = Bounds::from(&config.limits);
    let unconfigured = |name: String, bytes: Arc<[u8]>, settings: String, from_folder| Candidate {
        source: Source {
            name,
            bytes,
            routes: Vec::new(),
            settings,
            fail_closed: false,
            fresh_instances: false,
            initial_instances: instances,
            bounds,
        },
        from_folder,
        is_named: !from_folder,
        on_difference: OnDifference::Accept,
    };
    // Files without a section follow, sorted by name.
    for (name, read) in files {
        let candidate = read.map(|bytes| unconfigured(name.clone(), bytes, "{}".to_owned(), true));
        let candidate = candidate.map_err(|error| Unreadable {
            reason: error.reason,
            is_skipped: !error.may_be_plugin,
        });
        add(&name, candidate);
    }
    for (name, bytes) in BUILTIN {
        let settings = match name {
            "builtin:matcher" => &config.builtin.matcher,
            REDACTOR => &config.builtin.redactor,
            _ => &config.builtin.policy,
        };
        let settings = serde_json::Value::Object(settings.clone()).to_string();
        let candidate = unconfigured(name.to_owned(), bytes.into(), settings, false);
        add(name, Ok(candidate));
    }
    desired
}

/// A plugin file with a `[[plugin]]` section.
fn configured(plugin: &PluginConfig, bytes: Arc<[u8]>, instances: usize) -> Candidate {
    Candidate {
        source: Source {
            name: plugin.file.clone(),
            bytes,
            routes: plugin.routes.clone(),
            settings: serde_json::Value::Object(plugin.settings.clone()).to_string(),
            fail_closed: plugin.on_error == OnError::Fail,
            fresh_instances: plugin.instances == Instances::Fresh,
            initial_instances: instances,
            bounds: Bounds::from(&plugin.limits),
        },
        from_folder: true,
        is_named: true,
        on_difference: plugin.on_difference,
    }
}

fn missing_file(folders: &[PathBuf]) -> String {
    let folders: Vec<_> = folders
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    format!(
        "the file does not exist in {}; add it or remove its [[plugin]] section",
        folders.join(" or ")
    )
}
