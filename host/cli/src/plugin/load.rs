//! Loads a plugin file as the gateway does.

use std::path::Path;
use std::sync::Arc;

use crate::environment;
use ouli_config::Limits;
use ouli_plugin::{Bounds, Plugin, Source};

/// A plugin file with settings and limits.
pub(super) fn source(file: &Path, settings: &str, limits: &Limits) -> Result<Source, String> {
    let bytes = std::fs::read(file).map_err(|error| {
        format!(
            "cannot read {}: {error}; name the .wasm file that the build wrote",
            file.display()
        )
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
    let cache = environment::cache_folder();
    let engine = ouli_plugin::engine::shared(cache.as_deref());
    let engine = engine.map_err(|error| error.to_string())?;
    let plugin = Plugin::load(engine, source).map_err(|error| {
        let (name, stage) = (&source.name, error.stage());
        format!("{name} cannot be loaded ({stage}): {error}")
    })?;
    Ok(Arc::new(plugin))
}
