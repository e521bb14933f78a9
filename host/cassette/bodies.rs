//! Stored bodies: files beside a cassette, each named by the SHA-256 of its bytes.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::digest::is_body_digest;
use super::store::Folder;
use super::{CassetteError, Loaded, SessionName, open};
use crate::exchange::Content;

/// Writes a body where it is not stored yet; answers its path where it was written.
///
/// # Errors
/// Where the disk refuses. No part of the file is left behind then.
pub(super) fn store(
    folder: &Folder,
    name: &SessionName,
    digest: &str,
    bytes: &[u8],
    sync: bool,
) -> io::Result<Option<PathBuf>> {
    if folder.body(name.as_str(), digest).is_ok() {
        return Ok(None);
    }
    let parent = folder.bodies_of(name);
    open::check_folders(folder.root(), &parent)?;
    open::folder(&parent)?;
    let mut file = tempfile::Builder::new()
        .prefix(".writing-")
        .tempfile_in(&parent)?;
    file.write_all(bytes)?;
    if sync {
        file.as_file().sync_data()?;
    }
    let path = parent.join(digest);
    file.persist(&path)?;
    if sync {
        sync_folder(&parent)?;
    }
    Ok(Some(path))
}

/// Waits until a stored body and its name are on the disk.
///
/// # Errors
/// Where the disk refuses.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    let Some(file) = open::read(path)? else {
        return Ok(());
    };
    file.sync_data()?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Removes the stored bodies that the cassette does not name which `load` gives; none where parts
/// of it were not read. A file that stays is only not needed, so nothing here is an error.
pub(super) fn sweep(parent: &Path, load: impl FnOnce() -> Result<Loaded, CassetteError>) {
    if !parent.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        return;
    }
    let Ok(loaded) = load() else {
        return;
    };
    if loaded.torn.is_some() || !loaded.damage.is_empty() {
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
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let stale = name
            .to_str()
            .is_some_and(|name| is_body_digest(name) && !named.contains(name));
        if stale {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Waits until the names in a folder are on the disk.
///
/// # Errors
/// Where the disk refuses.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        fs::File::open(path)?.sync_all()?;
    }
    Ok(())
}
