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

/// The plugins that should be in force, and the errors found in the list.
pub(super) struct DesiredPlugins {
    pub(super) candidates: Vec<Candidate>,
    pub(super) errors: Vec<String>,
}

/// A plugin that should be in force.
pub(super) struct Candidate {
    pub(super) source: Source,
    /// The plugin is a file of the user; false for a built-in one.
    pub(super) from_folder: bool,
    pub(super) on_difference: OnDifference,
}

/// Reads the plugin folders. `instances` of each plugin are started before the first call.
pub(super) fn desired_plugins(config: &Config, instances: usize) -> DesiredPlugins {
    let folders = &config.plugin_folders.paths;
    let mut files = source_files::plugins(folders, config.limits.plugin_file);
    let mut errors = Vec::new();
    let mut candidates = Vec::new();
    for plugin in &config.plugins {
        match files.remove(&plugin.file) {
            Some(Ok(bytes)) => candidates.push(configured(plugin, bytes, instances)),
            Some(Err(error)) => errors.push(format!("{}: {error}", plugin.file)),
            None => errors.push(missing_file(&plugin.file, folders)),
        }
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
        on_difference: OnDifference::Accept,
    };
    // Files without a section follow, sorted by name.
    for (name, bytes) in files {
        match bytes {
            Ok(bytes) => candidates.push(unconfigured(name, bytes, "{}".to_owned(), true)),
            Err(error) => errors.push(format!("{name}: {error}")),
        }
    }
    for (name, bytes) in BUILTIN {
        let settings = match name {
            "builtin:matcher" => &config.builtin.matcher,
            REDACTOR => &config.builtin.redactor,
            _ => &config.builtin.policy,
        };
        let settings = serde_json::Value::Object(settings.clone()).to_string();
        candidates.push(unconfigured(name.to_owned(), bytes.into(), settings, false));
    }
    DesiredPlugins { candidates, errors }
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
        on_difference: plugin.on_difference,
    }
}

fn missing_file(file: &str, folders: &[PathBuf]) -> String {
    let folders: Vec<_> = folders
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    format!(
        "[[plugin]] `{file}` does not exist in {}; add the file or remove the section",
        folders.join(" or ")
    )
}
