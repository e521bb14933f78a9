//! Which plugins should be in force: the files in the folders with what the configuration says of
//! them, then those that are part of the program.

use std::path::PathBuf;
use std::sync::Arc;

use super::source_files;
use ouli_config::{Config, Instances, OnDifference, OnError};
use ouli_plugin::{Bounds, Source};

/// The built-in plugins in the order in which they are asked, after all others.
const BUILTIN: [(&str, &[u8]); 3] = [
    ("builtin:matcher", ouli_plugin::builtin::MATCHER),
    ("builtin:redactor", ouli_plugin::builtin::REDACTOR),
    ("builtin:policy", ouli_plugin::builtin::POLICY),
];

/// The plugins that should be in force, and what is wrong with the list.
pub(super) struct DesiredPlugins {
    pub(super) candidates: Vec<Candidate>,
    pub(super) errors: Vec<String>,
}

/// A plugin that should be in force.
pub(super) struct Candidate {
    pub(super) source: Source,
    /// It is a file of the user's, not part of the program.
    pub(super) from_folder: bool,
    pub(super) on_difference: OnDifference,
}

/// Looks into the plugin folders. `copies` of each plugin are started before the first call.
pub(super) fn desired_plugins(config: &Config, copies: usize) -> DesiredPlugins {
    let folders = &config.plugin_folders.paths;
    let mut files = source_files::plugins(folders, config.limits.plugin_file);
    let mut faults = Vec::new();
    let mut wanted = Vec::new();
    let bounds = Bounds::from(&config.limits);
    let plain = |name: &str, bytes: Arc<[u8]>, settings: String| Source {
        name: name.to_owned(),
        bytes,
        routes: Vec::new(),
        settings,
        fail_closed: false,
        fresh_instances: false,
        initial_instances: copies,
        bounds,
    };
    for plugin in &config.plugins {
        let Some(bytes) = files.remove(&plugin.file) else {
            faults.push(missing_file(&plugin.file, folders));
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
                    fail_closed: plugin.on_error == OnError::Fail,
                    fresh_instances: plugin.instances == Instances::Fresh,
                    initial_instances: copies,
                    bounds: Bounds::from(&plugin.limits),
                };
                wanted.push(Candidate {
                    source,
                    from_folder: true,
                    on_difference: plugin.on_difference,
                });
            }
            Err(error) => faults.push(format!("{}: {error}", plugin.file)),
        }
    }
    // Files without a section follow in the order of their names.
    for (name, bytes) in files {
        match bytes {
            Ok(bytes) => {
                let source = plain(&name, bytes, "{}".to_owned());
                wanted.push(candidate(source, true));
            }
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
        wanted.push(candidate(plain(name, bytes.into(), settings), false));
    }
    DesiredPlugins {
        candidates: wanted,
        errors: faults,
    }
}

fn candidate(source: Source, from_folder: bool) -> Candidate {
    Candidate {
        source,
        from_folder,
        on_difference: OnDifference::Accept,
    }
}

fn missing_file(file: &str, folders: &[PathBuf]) -> String {
    let folders: Vec<_> = folders
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    format!(
        "[[plugin]] names `{file}`, which is not in {}; put it there, or take the section out",
        folders.join(" or ")
    )
}
