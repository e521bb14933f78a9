//! The commands about plugins: `plugin new`, `check`, `test`, `bench` and `list`.

mod bench;
mod case;
mod cases;
mod check;
mod differing;
mod list;
mod live;
mod new;
mod templates;

use std::path::Path;
use std::sync::Arc;

use super::args::{Cli, PluginCommand};
use super::{environment, telemetry};
use crate::config::{Limits, LogFormat};
use crate::plugin::{self, Bounds, Plugin, Source};

/// Runs one of them.
pub(super) fn run(cli: &Cli, command: &PluginCommand) -> u8 {
    telemetry::start(LogFormat::Text);
    match command {
        PluginCommand::New { name, lang } => new::new(Path::new(name), *lang),
        PluginCommand::Check { file } => check::check(file),
        PluginCommand::Test {
            file,
            cases,
            accept,
        } => cases::test(file, cases.as_deref(), *accept),
        PluginCommand::Bench {
            file,
            cassette,
            fresh,
        } => bench::bench(file, cassette, *fresh),
        PluginCommand::List { at, .. } => list::list(cli, *at),
    }
}

/// A plugin's file as the gateway would take it, with these settings, under these limits.
fn source(file: &Path, settings: &str, limits: &Limits) -> Result<Source, String> {
    let bytes = std::fs::read(file).map_err(|error| {
        format!(
            "cannot read {}: {error}; give the .wasm file that the build wrote",
            file.display()
        )
    })?;
    let name = file.file_name().unwrap_or(file.as_os_str());
    Ok(Source {
        name: name.to_string_lossy().into_owned(),
        bytes: bytes.into(),
        routes: Vec::new(),
        settings: settings.to_owned(),
        fail: true,
        fresh: false,
        copies: 1,
        bounds: Bounds::from(limits),
    })
}

/// Loads it on the engine of production.
fn load(source: &Source) -> Result<Arc<Plugin>, String> {
    let engine = engine()?;
    let plugin = Plugin::load(engine, source).map_err(|error| {
        let (name, stage) = (&source.name, error.stage());
        format!("{name} is no plugin that the gateway takes ({stage}): {error}")
    })?;
    Ok(Arc::new(plugin))
}

fn engine() -> Result<&'static plugin::Engine, String> {
    let cache = environment::cache_folder();
    plugin::engine::shared(cache.as_deref()).map_err(|error| error.to_string())
}
