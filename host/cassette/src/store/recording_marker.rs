//! The file `SESSION.jsons.recording`: a run of `record` began this cassette, and has not ended.
//!
//! A process that is killed leaves it, so the next run knows that the cassette is not complete.

use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};

use super::own_suffixes;
use super::secure_open::Dir;

/// Marks a cassette as incomplete.
///
/// # Errors
/// If the file cannot be created.
pub(crate) fn set(dir: &Dir, cassette: &Path) -> Result<()> {
    match dir.create_new(&path(cassette)) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Marks a cassette as complete.
///
/// # Errors
/// If the file cannot be removed.
pub(crate) fn clear(dir: &Dir, cassette: &Path) -> Result<()> {
    match dir.remove(&path(cassette)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// True if a cassette is marked as incomplete.
///
/// # Errors
/// If the folder cannot be searched.
pub(crate) fn is_set(dir: &Dir, cassette: &Path) -> Result<bool> {
    dir.has(&path(cassette))
}

/// The path of the file that marks a cassette.
pub(crate) fn path(cassette: &Path) -> PathBuf {
    let mut name = cassette.as_os_str().to_owned();
    name.push(own_suffixes::RECORDING);
    name.into()
}
