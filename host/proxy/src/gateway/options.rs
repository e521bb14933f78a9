//! What a gateway is started with.

use std::path::PathBuf;
use std::sync::Arc;

use super::listener_info::ListenerInfo;
use super::socket_activation::InheritedSocket;
use ouli_config::Override;
use ouli_plugin::CompileOptions;

/// What a gateway is started with.
///
/// All input from the process is in here: the gateway itself reads no environment variable.
#[derive(Clone)]
pub struct Options {
    /// Where the configuration comes from.
    pub config: ConfigSource,
    /// Settings that take precedence over the configuration, such as command-line flags.
    pub overrides: Vec<Override>,
    /// The folder that relative paths start from.
    pub base_dir: PathBuf,
    /// Where the compiled code of plugins comes from.
    pub compile: CompileOptions,
    /// The folder of the local CA; without one, no endpoint can have a certificate of it.
    pub ca_folder: Option<PathBuf>,
    /// Looks up an environment variable.
    pub environment: fn(&str) -> Option<String>,
    /// Listening sockets inherited from the parent process, as by systemd socket activation.
    pub inherited_sockets: Vec<InheritedSocket>,
    /// How many file descriptors the process may open. Limits that need more are lowered. None if
    /// there is no limit.
    pub max_descriptors: Option<usize>,
    /// Number of worker threads; 0 for one per core.
    pub workers: usize,
    /// Watch the configuration file and the plugin folders, and reload on a change.
    pub watch: bool,
    /// Called for every listener once it accepts connections.
    pub on_listening: Arc<dyn Fn(&ListenerInfo) + Send + Sync>,
}

/// Where the configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// All settings have their defaults.
    Default,
    /// A file, read again at each reload.
    File(PathBuf),
    /// A file that may be missing: then all settings have their defaults until it is created.
    OptionalFile(PathBuf),
    /// The text of a configuration file.
    Text(String),
}

impl Options {
    /// Options for a gateway inside another program: no overrides, no environment variables, one
    /// worker thread per core, and no reload on file changes.
    ///
    /// Relative paths in the configuration start at `base_dir`, which also holds the local CA, in
    /// `ca`.
    pub fn new(config: ConfigSource, base_dir: impl Into<PathBuf>) -> Self {
        let base_dir = base_dir.into();
        Self {
            config,
            overrides: Vec::new(),
            compile: CompileOptions::default(),
            ca_folder: Some(base_dir.join("ca")),
            base_dir,
            environment: |_| None,
            inherited_sockets: Vec::new(),
            max_descriptors: None,
            workers: 0,
            watch: false,
            on_listening: Arc::new(|_| {}),
        }
    }

    /// Path of the configuration file.
    pub(super) fn config_path(&self) -> Option<PathBuf> {
        match &self.config {
            ConfigSource::File(path) | ConfigSource::OptionalFile(path) => {
                Some(self.base_dir.join(path))
            }
            ConfigSource::Default | ConfigSource::Text(_) => None,
        }
    }

    pub(super) fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        }
    }

    /// Number of plugin instances started before the first call: one for each calling thread (the
    /// workers and the recorder).
    pub(super) fn instance_count(&self) -> usize {
        self.worker_count() + 1
    }
}
