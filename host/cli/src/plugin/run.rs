//! Runs a subcommand of `plugin`.

use std::path::Path;

use super::{bench, check, list, new, test};
use crate::args::{Cli, PluginCommand};
use crate::telemetry;
use ouli_config::LogFormat;

/// Runs the subcommand; returns the exit status.
pub(in super::super) fn run(cli: &Cli, command: &PluginCommand) -> u8 {
    telemetry::init(LogFormat::Text);
    match command {
        PluginCommand::New { name, lang } => new::new(Path::new(name), *lang),
        PluginCommand::Check { file } => check::check(file),
        PluginCommand::Test { file, cases, bless } => test::test(file, cases.as_deref(), *bless),
        PluginCommand::Bench {
            file,
            cassette,
            fresh,
        } => bench::bench(file, cassette, *fresh),
        PluginCommand::List { address, ca, .. } => list::list(cli, address.as_ref(), ca.as_deref()),
    }
}
