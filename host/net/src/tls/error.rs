//! What can go wrong with a certificate, a key or a trusted root.

use std::path::{Path, PathBuf};

/// A certificate, key or root cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file or folder cannot be read or written.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// The operation that failed, as `read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A file that should hold certificates or a key.
    #[error("{} {problem}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as `holds no certificate`.
        problem: String,
    },
    /// Users other than the owner could read or replace a private key.
    #[error("{} is open to other users: run `chmod {mode} {}`", .path.display(), .path.display())]
    InsecurePermissions {
        /// The file or folder.
        path: PathBuf,
        /// The mode that it must have.
        mode: &'static str,
    },
    /// The local CA cannot be used.
    #[error(
        "the local CA cannot be used ({problem}): remove {} to get a new one",
        .path.display()
    )]
    Ca {
        /// The folder of the CA.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// No certificate can be issued for a name.
    #[error("cannot issue a certificate for `{name}`")]
    Leaf {
        /// The name.
        name: String,
        /// Why it failed.
        source: rcgen::Error,
    },
    /// The TLS library rejects the settings.
    #[error("the TLS library rejects the settings")]
    Rustls(#[from] rustls::Error),
    /// The trusted certificates cannot be used.
    #[error("the trusted certificates cannot be used: {0}")]
    Verifier(String),
    /// There are no trusted roots, so no upstream would be trusted.
    #[error(
        "the system has no trusted certificates: install them (package ca-certificates), set \
         SSL_CERT_FILE, or name a file with `upstream_ca`"
    )]
    NoRoots,
}

impl TlsError {
    pub(super) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn file(path: &Path, problem: impl Into<String>) -> Self {
        Self::File {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }

    pub(super) fn verifier(error: &dyn std::error::Error) -> Self {
        Self::Verifier(error.to_string())
    }

    pub(super) fn ca(folder: &Path, error: &dyn std::error::Error) -> Self {
        Self::Ca {
            path: folder.to_owned(),
            problem: error.to_string(),
        }
    }
}
