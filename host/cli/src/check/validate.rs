//! `check`: prints all errors of the configuration, the plugins and the cassettes.

use crate::args::Cli;
use crate::exit_status::{EXIT_OK, EXIT_USAGE};
use crate::output::{err_lines, outln};
use crate::{environment, telemetry};
use ouli_config::LogFormat;
use ouli_proxy::gateway;

/// Prints all errors.
pub(in super::super) fn check(cli: &Cli) -> u8 {
    telemetry::init(LogFormat::Text);
    let errors = gateway::check(&environment::options(cli));
    for error in &errors {
        err_lines(error);
    }
    if errors.is_empty() {
        outln!("configuration, plugins and cassettes are valid");
        return EXIT_OK;
    }
    EXIT_USAGE
}
