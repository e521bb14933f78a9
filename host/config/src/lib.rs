//! The configuration: `ouli.toml` with the settings of the command line over it, validated.
//!
//! Nothing here opens a file or reads the environment: texts and folders are arguments.

#![forbid(unsafe_code)]

mod builtin_settings;
mod choice;
mod command_line;
mod config;
mod config_error;
mod endpoint;
mod endpoint_list;
mod endpoint_tls;
mod fail_on;
mod file;
mod fsync;
mod limits;
mod overrides;
mod plugin;
mod renamed_keys;
mod spelling;
mod table_reader;
mod timing;
mod units;
mod upstream;
mod value_parsers;
mod value_tree;

pub use choice::{
    ClientAuthMode, Defect, ErrorFormat, Instances, LogFormat, Mode, OnDifference, OnError,
    OnExhausted, OnRecorderFull,
};
pub use command_line::{CONFIG_FILE, CommandLine};
pub use config::{BuiltinSettings, Config, PluginFolders, Redaction};
pub use config_error::{ConfigError, ConfigErrors, ValueError};
pub use endpoint::Endpoint;
pub use endpoint_list::DEFAULT_SESSION;
pub use endpoint_tls::{CertificateFiles, ClientAuth, Tls};
pub use fail_on::FailOn;
pub use fsync::Fsync;
pub use limits::{LIMITS, Limit, LimitGroup, Limits};
pub use overrides::Override;
pub use plugin::Plugin;
pub use timing::Timing;
pub use units::ByteSize;
pub use upstream::{Scheme, Upstream, listener_accepts};

#[cfg(test)]
mod tests;
