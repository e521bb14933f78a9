//! The commands about plugins: `plugin new`, `check`, `test`, `bench` and `list`.

mod bench;
mod check;
mod difference;
mod golden_case;
mod golden_cases;
mod list;
mod new;
mod running_gateway;
mod templates;

use std::path::Path;
use std::sync::Arc;

use crate::args::{Cli, PluginCommand};
use crate::{environment, telemetry};
use ouli_config::{Limits, LogFormat};
use ouli_plugin::{Bounds, Plugin, Source};

/// Runs one of them.
pub(super) fn run(cli: &Cli, command: &PluginCommand) -> u8 {
    telemetry::init(LogFormat::Text);
    match command {
        PluginCommand::New { name, lang } => new::new(Path::new(name), *lang),
        PluginCommand::Check { file } => check::check(file),
        PluginCommand::Test { file, cases, bless } => {
            golden_cases::test(file, cases.as_deref(), *bless)
        }
        PluginCommand::Bench {
            file,
            cassette,
            fresh,
        } => bench::bench(file, cassette, *fresh),
        PluginCommand::List { address, .. } => list::list(cli, *address),
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
        fail_closed: true,
        fresh_instances: false,
        initial_instances: 1,
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

fn engine() -> Result<&'static ouli_plugin::Engine, String> {
    let cache = environment::cache_folder();
    ouli_plugin::engine::shared(cache.as_deref()).map_err(|error| error.to_string())
}
