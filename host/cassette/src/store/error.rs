//! The errors of cassettes on disk.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::session_name::NameError;
use crate::format::FormatError;

/// Why a cassette cannot be opened, read or written.
#[derive(Debug, Error)]
pub enum CassetteError {
    /// The session name is not valid as a file name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The file system returned an error.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// The operation, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// The file is not a cassette that this program reads.
    #[error("cannot read {}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The error.
        source: FormatError,
    },
    /// The file is larger than the limit.
    #[error(
        "{} has {size} bytes, over the limit of {limit} (limits.cassette_size)",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Another process has locked the file.
    #[error(
        "{} is being written by another gateway{}: stop that gateway, or choose another session \
         (--session NAME)",
        path.display(),
        process(*owner)
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// The id of the other process, if the system reports it.
        owner: Option<u32>,
    },
    /// The file was changed, and [`ChangePolicy::Refuse`](super::ChangePolicy::Refuse) was given.
    #[error("{} was changed after it was recorded: {change}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// The first change.
        change: String,
    },
}

impl CassetteError {
    /// Converts an error of the file system: `.map_err(CassetteError::io("open", path))`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

fn process(owner: Option<u32>) -> String {
    owner.map_or_else(String::new, |id| format!(" (process {id})"))
}
