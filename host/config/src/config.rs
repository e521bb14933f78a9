//! The values of a configuration.

use std::path::PathBuf;

use serde_json::{Map, Value as Json};

use crate::choice::{LogFormat, Mode, OnRecorderFull};
use crate::endpoint::Endpoint;
use crate::fail_on::FailOn;
use crate::fsync::Fsync;
use crate::limits::Limits;
use crate::plugin::Plugin;
use crate::timing::Timing;

/// Everything that a user can set. Relative paths are already joined with their base folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The folder of the cassettes.
    pub cassettes: PathBuf,
    /// The user set that folder. The default folder may be missing.
    pub cassettes_explicit: bool,
    /// The folders that are searched for plugins and watched.
    pub plugin_folders: PluginFolders,
    /// What happens when the recorder's queue is full.
    pub on_recorder_full: OnRecorderFull,
    /// The pace of replayed streams.
    pub timing: Timing,
    /// Protobuf descriptor sets, so that gRPC messages can be read by field.
    pub proto_descriptors: Vec<PathBuf>,
    /// Edited cassettes are refused, more defects fail a verdict, and a failed one ends the process
    /// with status 1.
    pub strict: bool,
    /// The file to which verdicts are written as JSON.
    pub report: Option<PathBuf>,
    /// When recorded exchanges are synced to the disk.
    pub fsync: Fsync,
    /// The format of log lines.
    pub log_format: LogFormat,
    /// Write one log line for each exchange.
    pub access_log: bool,
    /// The listeners; at least one.
    pub endpoints: Vec<Endpoint>,
    /// The plugins that have a section, in the order in which they are called.
    pub plugins: Vec<Plugin>,
    /// The settings of the built-in plugins.
    pub builtin: BuiltinSettings,
    /// The user's redaction settings.
    pub redaction: Redaction,
    /// The defects that fail a verdict.
    pub fail_on: FailOn,
    /// The limits.
    pub limits: Limits,
}

impl Config {
    /// True if an endpoint records or replays, so that a verdict says something.
    pub fn expects_requests(&self) -> bool {
        let mut endpoints = self.endpoints.iter();
        endpoints.any(|endpoint| endpoint.mode != Mode::Passthrough)
    }
}

/// The plugin folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginFolders {
    /// The folders.
    pub paths: Vec<PathBuf>,
    /// The user set them, so a missing folder is an error. The default folder may be missing.
    pub explicit: bool,
}

/// The settings of the built-in plugins, as the plugins read them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuiltinSettings {
    /// `[matcher]`.
    pub matcher: Map<String, Json>,
    /// `[redactor]`.
    pub redactor: Map<String, Json>,
    /// `[policy]`: the recording policy.
    pub policy: Map<String, Json>,
}

/// The section `[redaction]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// Ids of the rules that are disabled.
    pub disabled_rules: Vec<String>,
    /// Names of the environment variables whose values are secrets.
    pub env: Vec<String>,
}
