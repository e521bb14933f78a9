//! Opening files without being led astray: only regular files, never through a symbolic link.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::path::Path;

/// Opens a file for reading; none where there is none.
///
/// # Errors
/// Where it cannot be opened or is not a regular file.
pub(super) fn read(path: &Path) -> Result<Option<File>> {
    match found(path)? {
        None => Ok(None),
        Some(before) => reopen(path, OpenOptions::new().read(true), &before).map(Some),
    }
}

/// Opens a file for reading and for appending; creates it for its owner alone where there is none.
///
/// # Errors
/// Where it cannot be opened or created, or is not a regular file.
pub(super) fn append(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    if let Some(before) = found(path)? {
        return reopen(path, &options, &before);
    }
    private(&mut options);
    options.create_new(true).open(path)
}

/// Creates a folder for its owner alone, with those above it; one that exists stays as it is.
///
/// # Errors
/// Where it cannot be created.
pub(super) fn folder(path: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Refuses `path` where a part of it below `root` is a symbolic link or no folder.
///
/// # Errors
/// As said, and where a part cannot be looked at.
pub(super) fn check_folders(root: &Path, path: &Path) -> Result<()> {
    let mut inner: Vec<_> = path.ancestors().take_while(|part| *part != root).collect();
    inner.reverse();
    for part in inner {
        match part.symlink_metadata() {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(refused(part, "not a folder")),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// True where `file` is what `path` names now.
///
/// # Errors
/// Where either cannot be looked at.
pub(super) fn is_at(file: &File, path: &Path) -> Result<bool> {
    match path.symlink_metadata() {
        Ok(there) => Ok(same(&file.metadata()?, &there)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn found(path: &Path) -> Result<Option<Metadata>> {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_file() => Ok(Some(meta)),
        Ok(_) => Err(refused(path, "not a regular file")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The check comes first, because opening a FIFO may wait for ever; the second look is for a file
/// that was changed for another in between.
fn reopen(path: &Path, options: &OpenOptions, before: &Metadata) -> Result<File> {
    let file = options.open(path)?;
    if same(&file.metadata()?, before) {
        Ok(file)
    } else {
        Err(refused(path, "replaced while it was opened"))
    }
}

#[cfg(unix)]
fn same(left: &Metadata, right: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (left.dev(), left.ino()) == (right.dev(), right.ino())
}

#[cfg(not(unix))]
fn same(left: &Metadata, right: &Metadata) -> bool {
    left.file_type() == right.file_type() && left.created().ok() == right.created().ok()
}

fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

fn refused(path: &Path, why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!("{} is {why}", path.display()),
    )
}
