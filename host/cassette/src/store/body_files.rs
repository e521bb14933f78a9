//! Stored bodies: files next to a cassette, each named by the SHA-256 of its content.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::cassette_dir::CassetteDir;
use super::secure_open::Dir;
use super::session_name::SessionName;
use crate::format::is_body_digest;

/// The prefix of a file while it is written. A session has one writer, so a file with this prefix
/// is stale when the cassette is opened.
const TEMP_PREFIX: &str = ".writing-";

/// Writes a body unless it is stored already. Returns its path if it was written.
///
/// # Errors
/// If the file cannot be written. No part of it remains.
pub(crate) fn store_body(
    folder: &CassetteDir,
    name: &SessionName,
    digest: &str,
    bytes: &[u8],
    sync: bool,
) -> io::Result<Option<PathBuf>> {
    if is_stored(folder, name, digest, bytes) {
        return Ok(None);
    }
    let parent = folder.bodies_path(name);
    let is_new = Dir::open(folder.root(), &parent)?.is_none();
    let dir = Dir::create(folder.root(), &parent)?;
    let temp = parent.join(format!("{TEMP_PREFIX}{digest}"));
    let path = parent.join(digest);
    write(&dir, &temp, bytes, sync)
        .and_then(|()| dir.rename(&temp, &path))
        .inspect_err(|_| {
            // If this fails too, `remove_temp_files` removes the file later.
            let _ = dir.remove(&temp);
        })?;
    if sync {
        dir.sync()?;
        if is_new {
            sync_parent(folder, &parent)?;
        }
    }
    Ok(Some(path))
}

/// True if a body is stored already: as these bytes, or with other line ends.
fn is_stored(folder: &CassetteDir, name: &SessionName, digest: &str, bytes: &[u8]) -> bool {
    let Ok((file, size)) = folder.open_body(name.as_str(), digest) else {
        return false;
    };
    // Most are equal, which takes no memory to find out.
    (size == bytes.len() as u64 && holds(&file, bytes).unwrap_or(false))
        || folder.read_body(name.as_str(), digest).is_ok()
}

/// Bytes that are compared at a time.
const COMPARED: usize = 64 << 10;

/// True if a file begins with these bytes.
fn holds(file: &File, bytes: &[u8]) -> io::Result<bool> {
    let mut buffer = vec![0; COMPARED.min(bytes.len())];
    let mut offset = 0;
    for chunk in bytes.chunks(COMPARED) {
        let read = &mut buffer[..chunk.len()];
        file.read_exact_at(read, offset)?;
        if read != chunk {
            return Ok(false);
        }
        offset += chunk.len() as u64;
    }
    Ok(true)
}

fn write(dir: &Dir, path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    match dir.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = dir.create_new(path)?;
    file.write_all(bytes)?;
    if sync {
        file.sync_data()?;
    }
    Ok(())
}

/// Syncs a stored body and the directory entries that lead to it to the disk.
///
/// # Errors
/// If a sync fails.
pub(crate) fn sync_body(folder: &CassetteDir, path: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or(folder.root());
    let Some(dir) = Dir::open(folder.root(), parent)? else {
        return Ok(());
    };
    if let Some(file) = dir.open_read(path)? {
        file.sync_data()?;
    }
    dir.sync()?;
    sync_parent(folder, parent)
}

/// Syncs the entry of a folder, which is in the folder above it.
fn sync_parent(folder: &CassetteDir, path: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or(folder.root());
    Dir::open(folder.root(), parent)?.map_or(Ok(()), |dir| dir.sync())
}

/// Removes stored bodies.
pub(crate) fn remove_bodies(folder: &CassetteDir, paths: impl Iterator<Item = PathBuf>) {
    for path in paths {
        let parent = path.parent().unwrap_or(folder.root());
        if let Ok(Some(dir)) = Dir::open(folder.root(), parent) {
            // A file that remains is harmless: no exchange refers to it.
            let _ = dir.remove(&path);
        }
    }
}

/// Removes the partly written files of a process that was killed.
pub(crate) fn remove_temp_files(folder: &CassetteDir, name: &SessionName) {
    remove_matching(folder, name, |name| {
        let digest = name.strip_prefix(TEMP_PREFIX);
        digest.is_some_and(is_body_digest)
    });
}

/// Removes the stored bodies whose digests are not among those that `find` returns; none if it
/// returns none. A file that remains is harmless, so nothing here is an error.
pub(crate) fn remove_unreferenced(
    folder: &CassetteDir,
    name: &SessionName,
    find: impl FnOnce() -> Option<HashSet<String>>,
) {
    if !matches!(
        Dir::open(folder.root(), &folder.bodies_path(name)),
        Ok(Some(_))
    ) {
        return;
    }
    let Some(referenced) = find() else {
        return;
    };
    remove_matching(folder, name, |name| {
        is_body_digest(name) && !referenced.contains(name)
    });
}

fn remove_matching(folder: &CassetteDir, name: &SessionName, is_stale: impl Fn(&str) -> bool) {
    let parent = folder.bodies_path(name);
    let Ok(Some(dir)) = Dir::open(folder.root(), &parent) else {
        return;
    };
    for name in dir.names().unwrap_or_default() {
        if is_stale(&name) {
            let _ = dir.remove(&parent.join(name));
        }
    }
}
