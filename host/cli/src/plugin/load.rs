//! Loads a plugin file as the gateway does.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use crate::environment;
use ouli_config::Limits;
use ouli_plugin::{Bounds, Plugin, PluginError, Source};

/// A plugin file with settings and limits.
pub(super) fn source(file: &Path, settings: &str, limits: &Limits) -> Result<Source, String> {
    let bytes = ouli_files::read(file, limits.plugin_file).map_err(|error| {
        let file = file.display();
        match error.kind() {
            ErrorKind::FileTooLarge => format!("cannot read {file}: {error} (limits.plugin_file)"),
            _ => format!("cannot read {file}: {error}; name the .wasm file that the build wrote"),
        }
    })?;
    let name = file.file_name().unwrap_or(file.as_os_str());
    Ok(Source {
        name: name.to_string_lossy().into_owned(),
        bytes: bytes.into(),
        routes: Vec::new(),
        settings: settings.to_owned(),
        fail_closed: true,
        fresh_instances: false,
        initial_instances: 1,
        bounds: Bounds::from(limits),
    })
}

/// Loads the plugin with the engine of production.
pub(super) fn load(source: &Source) -> Result<Arc<Plugin>, String> {
    let plugin = load_plugin(source);
    plugin.map_err(|error| failure(source, &error))
}

/// As [`load`]. The inner error is the answer of a plugin that is sound: `prepare` rejects its
/// settings.
pub(super) fn prepare(source: &Source) -> Result<Result<Arc<Plugin>, String>, String> {
    match load_plugin(source) {
        Ok(plugin) => Ok(Ok(plugin)),
        Err(error @ (PluginError::Prepare { .. } | PluginError::Rule(_))) => {
            Ok(Err(error.to_string()))
        }
        Err(error) => Err(failure(source, &error)),
    }
}

fn load_plugin(source: &Source) -> Result<Arc<Plugin>, PluginError> {
    let engine = ouli_plugin::engine::shared(&environment::compile_options())?;
    Plugin::load(engine, source).map(Arc::new)
}

fn failure(source: &Source, error: &PluginError) -> String {
    let (name, stage) = (&source.name, error.stage());
    format!("{name} cannot be loaded ({stage}): {error}")
}
