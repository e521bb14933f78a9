//! Opens the cassette folder of the configuration.

use crate::args::Cli;
use crate::{environment, telemetry};
use ouli_cassette::CassetteDir;
use ouli_config::{Config, LogFormat};
use ouli_proxy::gateway;

/// The configuration and its cassette folder, which must exist.
pub(super) fn open(cli: &Cli) -> Result<(Config, CassetteDir), String> {
    telemetry::init(LogFormat::Text);
    let options = environment::options(cli);
    let config = gateway::load_config(&options).map_err(|error| error.to_string())?;
    if !config.cassettes.is_dir() {
        let folder = config.cassettes.display();
        return Err(match config.cassettes.exists() {
            true => format!("{folder} is a file; name a folder"),
            false => format!("folder {folder} does not exist"),
        });
    }
    let folder = gateway::cassette_folder(&config).map_err(|error| error.to_string())?;
    Ok((config, folder))
}
