//! Stored bodies: files beside a cassette, each named by the SHA-256 of its bytes.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::CassetteError;
use super::folder::CassetteDir;
use super::secure_open::Dir;
use super::session_name::SessionName;
use crate::format::decode::LoadedCassette;
use crate::format::digest::is_body_digest;
use ouli_message::Content;

/// What the name of a file begins with while it is written. A session has one writer, so that none
/// of them is in use when its cassette is opened.
const TEMP_PREFIX: &str = ".writing-";

/// Writes a body where it is not stored yet; answers its path where it was written.
///
/// # Errors
/// Where the disk refuses. No part of the file is left behind then.
pub(crate) fn store(
    folder: &CassetteDir,
    name: &SessionName,
    digest: &str,
    bytes: &[u8],
    sync: bool,
) -> io::Result<Option<PathBuf>> {
    if folder.read_body(name.as_str(), digest).is_ok() {
        return Ok(None);
    }
    let parent = folder.bodies_path(name);
    let is_new = Dir::open(folder.root(), &parent)?.is_none();
    let dir = Dir::create(folder.root(), &parent)?;
    let unfinished = parent.join(format!("{TEMP_PREFIX}{digest}"));
    let path = parent.join(digest);
    let written = write(&dir, &unfinished, bytes, sync)
        .and_then(|()| dir.rename(&unfinished, &path))
        .inspect_err(|_| {
            // What cannot be removed either is in nobody's way.
            let _ = dir.remove(&unfinished);
        });
    written?;
    if sync {
        dir.sync()?;
        if is_new {
            sync_parent(folder, &parent)?;
        }
    }
    Ok(Some(path))
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

/// Waits until a stored body and the names that lead to it are on the disk.
///
/// # Errors
/// Where the disk refuses.
pub(crate) fn sync(folder: &CassetteDir, path: &Path) -> io::Result<()> {
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

/// The name of a folder stands in the one above it.
fn sync_parent(folder: &CassetteDir, path: &Path) -> io::Result<()> {
    let above = path.parent().unwrap_or(folder.root());
    Dir::open(folder.root(), above)?.map_or(Ok(()), |dir| dir.sync())
}

/// Removes stored bodies.
pub(crate) fn remove(folder: &CassetteDir, paths: impl Iterator<Item = PathBuf>) {
    for path in paths {
        let parent = path.parent().unwrap_or(folder.root());
        if let Ok(Some(dir)) = Dir::open(folder.root(), parent) {
            // One that stays is only not needed.
            let _ = dir.remove(&path);
        }
    }
}

/// Removes what a process that was ended left half written.
pub(crate) fn remove_temp_files(folder: &CassetteDir, name: &SessionName) {
    remove_matching(folder, name, |name| {
        let digest = name.strip_prefix(TEMP_PREFIX);
        digest.is_some_and(is_body_digest)
    });
}

/// Removes the stored bodies that the cassette does not name which `load` gives; none where parts
/// of it were not read. A file that stays is only not needed, so nothing here is an error.
pub(crate) fn remove_unreferenced(
    folder: &CassetteDir,
    name: &SessionName,
    load: impl FnOnce() -> Result<LoadedCassette, CassetteError>,
) {
    if !matches!(
        Dir::open(folder.root(), &folder.bodies_path(name)),
        Ok(Some(_))
    ) {
        return;
    }
    let Ok(loaded) = load() else {
        return;
    };
    if loaded.torn_tail.is_some() || !loaded.damage.is_empty() {
        return;
    }
    let named: HashSet<&str> = loaded
        .exchanges
        .iter()
        .flat_map(|it| it.exchange.contents())
        .filter_map(|body| match body {
            Content::Stored { digest, .. } => Some(digest.as_str()),
            Content::Inline(_) => None,
        })
        .collect();
    remove_matching(folder, name, |name| {
        is_body_digest(name) && !named.contains(name)
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
