//! The command-line arguments: commands, flags, their help, and the settings that flags override.

mod cassette;
mod cli;
mod examples;
mod flags;
mod plugin;

pub(crate) use cassette::CassetteCommand;
pub(crate) use cli::{Cli, Command};
pub(crate) use plugin::{Lang, PluginCommand};
