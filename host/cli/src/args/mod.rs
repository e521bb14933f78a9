//! The command-line arguments: commands, flags, their help, and the settings that flags override.

mod cassette;
mod cli;
mod examples;
mod flags;
mod gateway_address;
mod plugin;

pub(crate) use cassette::CassetteCommand;
pub(crate) use cli::{Cli, Command};
pub(crate) use gateway_address::GatewayAddress;
pub(crate) use plugin::{Lang, PluginCommand};
