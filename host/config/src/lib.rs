//! The configuration, checked and ready to use: what the file says with what the command line says
//! over it.
//!
//! Nothing here opens a file or reads the environment: text and folders are handed in.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value as Json};

mod choice;
mod config_error;
mod endpoint;
mod file;
mod limit;
mod limits;
mod overrides;
mod plugin;
mod renamed_keys;
mod table_reader;
mod timing;
mod units;
mod upstream;
mod value_tree;

pub use choice::{
    Instances, LogFormat, Mode, OnDifference, OnError, OnExhausted, OnRecorderFull, Unused,
};
pub use config_error::{ConfigError, ConfigErrors, ValueError};
pub use endpoint::{Endpoint, Tls};
pub use limit::Limit;
pub use limits::{LIMITS, LimitGroup, Limits};
pub use overrides::Override;
pub use plugin::Plugin;
pub use timing::Timing;
pub use units::{ByteSize, HumanDuration};
pub use upstream::{Scheme, Upstream, listener_accepts};

use config_error::ErrorCollector;
use table_reader::{ReadContext, Section};

/// Everything that a user may set. Paths are joined with the folder that they start from.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Folder of the cassettes.
    pub cassettes: PathBuf,
    /// Folders that are searched for plugins and watched.
    pub plugin_folders: PluginFolders,
    /// What a repeated request gets once its recorded responses are used up.
    pub on_exhausted: OnExhausted,
    /// What follows when more is to be recorded than the recorder keeps up with.
    pub on_recorder_full: OnRecorderFull,
    /// At what pace recorded streams are replayed.
    pub timing: Timing,
    /// Descriptor sets of protocol buffers, so that messages of gRPC can be read by their fields.
    pub proto_descriptors: Vec<PathBuf>,
    /// Edited cassettes are refused, and a verdict that fails ends the process with status 1.
    pub strict: bool,
    /// Where the verdicts are written as JSON, if anywhere.
    pub report: Option<PathBuf>,
    /// When written exchanges are forced to the disk.
    pub fsync: Fsync,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Write one log line for each exchange.
    pub access_log: bool,
    /// Where the gateway listens; there is at least one.
    pub endpoints: Vec<Endpoint>,
    /// The plugins that have a section, in the order in which they are asked.
    pub plugins: Vec<Plugin>,
    /// Settings of the plugins that are built in.
    pub builtin: BuiltinSettings,
    /// What the user says about secrets.
    pub redaction: Redaction,
    /// What recorded exchanges that nobody asked for mean for a verdict.
    pub unused: Unused,
    /// Every bound of the program.
    pub limits: Limits,
}

/// Folders, and whether the user asked for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginFolders {
    /// The folders.
    pub paths: Vec<PathBuf>,
    /// They were written: one that does not exist is a fault. The default one may be missing.
    pub explicit: bool,
}

/// When written exchanges are forced to the disk, so that they outlast a loss of power. What that
/// promises for each setting is in `host/cassette/FORMAT.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// After every exchange.
    Always,
    /// At most this long after it was written, several together.
    Interval(Duration),
    /// When the cassette is closed.
    OnClose,
}

/// Settings of the plugins that are built in, as they read them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuiltinSettings {
    /// Of the matcher: `[matcher]`.
    pub matcher: Map<String, Json>,
    /// Of the redactor: `[redactor]`.
    pub redactor: Map<String, Json>,
    /// Of the recording policy: `[policy]`.
    pub policy: Map<String, Json>,
}

/// What the user says about secrets: `[redaction]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// Ids of rules that are switched off.
    pub disabled_rules: Vec<String>,
    /// Names of environment variables whose values are secrets.
    pub env: Vec<String>,
}

impl Config {
    /// Reads a file's text and puts the overrides over it. Relative paths of the file start from
    /// its folder, those of the overrides from `base_dir`; the file's own path is relative to
    /// `base_dir` too.
    ///
    /// # Errors
    /// Every fault that was found, at once.
    pub fn from_sources(
        file: Option<(&Path, &str)>,
        overrides: &[Override],
        base_dir: &Path,
    ) -> Result<Self, ConfigErrors> {
        let (mut table, faults) =
            file.map_or_else(Default::default, |(_, text)| value_tree::parse(text));
        let path = file.map(|(path, _)| path);
        let folder = path.and_then(Path::parent).unwrap_or(Path::new(""));
        let reading = ReadContext {
            errors: ErrorCollector::from_parse_errors(faults),
            file_folder: base_dir.join(folder),
            base_folder: base_dir,
        };
        overrides::apply(overrides, &mut table, &reading.errors);
        let config = file::read(Section::root(&reading, table));
        let faults = reading.errors.into_sorted();
        if faults.is_empty() {
            return Ok(config);
        }
        Err(ConfigErrors {
            file: path.map(Path::to_owned),
            errors: faults,
        })
    }
}

#[cfg(test)]
mod tests;
