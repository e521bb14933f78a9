//! What can go wrong with a cassette on the disk.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::session_name::NameError;
use crate::format::format_error::FormatError;

/// Why a cassette cannot be opened, read or written.
#[derive(Debug, Error)]
pub enum CassetteError {
    /// The session has no name that can be one of a file.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no cassette that this program reads.
    #[error("cannot read {}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        source: FormatError,
    },
    /// The file is larger than the limit.
    #[error("{} has {size} bytes, over the limit of {limit}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Another writer has the file open.
    #[error(
        "{} is being written by another gateway{}: stop that one, or choose another session \
         (--session NAME)",
        path.display(),
        process(*holder)
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// The id of the other process, where the system tells it.
        holder: Option<u32>,
    },
    /// The file is not as it was recorded, and only such files were asked for.
    #[error("{} is not as it was recorded: {what}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// The first difference.
        what: String,
    },
}

impl CassetteError {
    /// Wraps an error of the file system: `.map_err(CassetteError::io("open", path))`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

fn process(holder: Option<u32>) -> String {
    holder.map_or_else(String::new, |id| format!(" (process {id})"))
}
