//! Why a gateway does not start.

use std::fmt;
use std::path::{Path, PathBuf};

use ouli_config::ConfigErrors;
use ouli_message::error_chain::error_chain;
use ouli_net::server::ListenError;
use ouli_net::tls::TlsError;
use ouli_plugin::PluginError;

/// A path at which there is no folder.
#[derive(Debug)]
pub struct MissingFolder {
    path: PathBuf,
    is_file: bool,
}

impl MissingFolder {
    pub(super) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            is_file: path.exists(),
        }
    }

    /// What to do.
    fn remedy(&self, if_missing: &'static str) -> &'static str {
        match self.is_file {
            true => "name a folder",
            false => if_missing,
        }
    }
}

impl fmt::Display for MissingFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.is_file {
            true => "is a file",
            false => "does not exist",
        };
        write!(f, "{} {problem}", self.path.display())
    }
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The configuration is invalid.
    #[error("{0}")]
    Config(ConfigErrors),
    /// The configuration in force was not empty.
    #[error("the configuration is empty or was removed")]
    EmptiedConfig,
    /// There is no plugin folder.
    #[error("plugin folder {}; {}", .0, .0.remedy("create it or omit --plugins"))]
    PluginFolder(MissingFolder),
    /// There is no cassette folder to replay from.
    #[error(
        "cassette folder {}; {}",
        .0,
        .0.remedy("record into it first, or correct --cassettes")
    )]
    CassetteFolder(MissingFolder),
    /// Plugins cannot be loaded, one line for each.
    #[error("{}", .0.join("\n"))]
    Plugins(Vec<String>),
    /// Variables with secrets cannot be searched for, one line for each.
    #[error("{}", .0.join("\n"))]
    Environment(Vec<String>),
    /// A descriptor set is invalid.
    #[error("{0}")]
    Descriptors(String),
    /// The plugins cannot be combined.
    #[error("plugins: {0}")]
    Composition(PluginError),
    /// The WebAssembly engine does not start.
    #[error("{0}")]
    Engine(PluginError),
    /// The cassette folder or a cassette cannot be used.
    #[error("{0}")]
    Cassette(String),
    /// A certificate, a private key or a root certificate cannot be used.
    #[error("endpoint {endpoint}: {}", error_chain(.source))]
    Tls {
        /// Name of the endpoint.
        endpoint: String,
        /// The reason.
        source: TlsError,
    },
    /// There is no folder for the local CA.
    #[error(
        "endpoint {0}: `tls = \"self-signed\"` needs a folder for the key of the local CA, and \
         HOME is not set; set HOME, or XDG_DATA_HOME to an absolute path, or write \
         `tls = {{ cert = \"FILE\", key = \"FILE\" }}`"
    )]
    CaFolder(String),
    /// The upstream address is invalid.
    #[error("endpoint {endpoint}: invalid upstream address: {source}")]
    Upstream {
        /// Name of the endpoint.
        endpoint: String,
        /// The reason.
        source: http::uri::InvalidUri,
    },
    /// A listener cannot be opened.
    #[error("endpoint {endpoint}: {source}")]
    Listen {
        /// Name of the endpoint.
        endpoint: String,
        /// The reason.
        source: ListenError,
    },
    /// An inherited socket cannot be used.
    #[error("inherited socket: {0}")]
    InheritedSocket(String),
    /// The process may open too few files.
    #[error(
        "the process may open {available} files, and the gateway needs at least {needed}: raise \
         `ulimit -n` (systemd: LimitNOFILE=)"
    )]
    OpenFiles {
        /// How many it may open.
        available: usize,
        /// How many it needs.
        needed: usize,
    },
    /// The system cannot create a thread.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}
