//! Opens files for reading. Symbolic links are followed: Kubernetes mounts a ConfigMap as links,
//! and Bazel lays out test data as links.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

use super::secure_open::invalid_input;

/// Opens a file for reading; `None` if it does not exist.
///
/// # Errors
/// If it cannot be opened, is not a regular file, or is a link to nothing.
pub(super) fn open(path: &Path) -> Result<Option<File>> {
    // The type is checked before the file is opened: opening a device may have side effects.
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(not_regular(path)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return match path.symlink_metadata() {
                Ok(_) => Err(invalid_input(path, "a symbolic link to nothing")),
                Err(_) => Ok(None),
            };
        }
        Err(error) => return Err(error),
    }
    // Not blocking: the file may have been replaced by a FIFO in between.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(Some(file)),
        false => Err(not_regular(path)),
    }
}

fn not_regular(path: &Path) -> Error {
    invalid_input(path, "not a regular file")
}
