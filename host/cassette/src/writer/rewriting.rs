//! Replaces a cassette by a new file, which is complete before it takes the place of the old one.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::locked_file::{LockedFile, with_suffix};
use crate::store::Dir;
use crate::store::own_suffixes::NEW;

/// Writes a new file for the cassette at `path`, which is open and locked as `file`, and renames
/// it. Returns the new file, which is locked; `None` if `write` returned false.
///
/// # Errors
/// If it cannot be written. The cassette is unchanged.
pub(super) fn replace(
    (dir, path): (&Dir, &Path),
    file: &File,
    write: impl FnOnce(&File) -> io::Result<bool>,
) -> io::Result<Option<LockedFile>> {
    let new = with_suffix(path, NEW);
    match dir.remove(&new) {
        // What a killed process left.
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let target = dir.open_append(&new)?;
    target.try_lock().map_err(io::Error::other)?;
    let written = write(&target).and_then(|is_written| {
        if is_written {
            target.set_permissions(file.metadata()?.permissions())?;
            target.sync_all()?;
            dir.rename(&new, path)?;
            dir.sync()?;
        }
        Ok(is_written)
    });
    match written {
        Ok(true) => Ok(Some(LockedFile(target))),
        Ok(false) => dir.remove(&new).map(|()| None),
        Err(error) => {
            let _ = dir.remove(&new);
            Err(error)
        }
    }
}
