//! Starts a new cassette, and keeps the old one under another name.

use std::path::Path;

use super::appender::{
    Appender, LockedFile, open_locked, open_parent, save_torn_tail, with_suffix,
};
use crate::format::{FormatError, HEADER, LoadedCassette};
use crate::store::own_suffixes::{INCOMPLETE, PREVIOUS};
use crate::store::{self, CassetteDir, CassetteError, Dir, SessionName, recording_marker};

impl CassetteDir {
    /// Starts a new cassette for a session. A complete one becomes `SESSION.jsons.previous`.
    ///
    /// # Errors
    /// If another process has locked it, or a file operation fails.
    pub fn rotate(&self, session: &str) -> Result<(), CassetteError> {
        let name = SessionName::parse(session)?;
        drop(Appender::rotate(self, &name)?);
        complete(self, &name);
        Ok(())
    }

    /// The last complete cassette that a rotation has put aside; `None` if there is none, if it
    /// cannot be read, or if it has more than `max_size` bytes.
    pub fn load_previous(&self, session: &str, max_size: u64) -> Option<LoadedCassette> {
        let path = with_suffix(&self.session_path(session).ok()?, PREVIOUS);
        let dir = Dir::open(self.root(), path.parent()?).ok()??;
        let file = dir.open_read(&path).ok()??;
        let size = file.metadata().ok()?.len();
        let loaded = (size <= max_size).then(|| self.load_file(&file, &path));
        loaded?.ok()
    }
}

impl Appender {
    /// Starts a new cassette, which is marked as incomplete. An existing one with exchanges is
    /// renamed: to `SESSION.jsons.previous` if it is complete, otherwise to
    /// `SESSION.jsons.incomplete`. So a recording that breaks off never replaces a complete one.
    /// Stored bodies that none of these cassettes refers to are removed.
    ///
    /// Whenever the process is killed, one of the names has the last complete cassette: it is
    /// renamed before the marker is set, and the marker is set before anything is recorded.
    pub(super) fn rotate(folder: &CassetteDir, name: &SessionName) -> Result<Self, CassetteError> {
        let path = folder.cassette_path(name);
        let dir = open_parent(folder, &path)?;
        let mut old = open_locked(&dir, &path)?;
        put_aside(folder, name, &dir, &mut old)?;
        recording_marker::set(&dir, &path).map_err(CassetteError::io("mark", &path))?;
        drop(old);
        Self::open_to_record(folder, name)
    }
}

/// Marks a cassette as complete. If that fails, the next rotation keeps the cassette under the name
/// of an incomplete one.
pub(super) fn complete(folder: &CassetteDir, name: &SessionName) {
    let path = folder.cassette_path(name);
    let dir = Dir::open(folder.root(), path.parent().unwrap_or(folder.root()));
    if let Ok(Some(dir)) = dir {
        let _ = recording_marker::clear(&dir, &path);
    }
}

/// Renames a cassette, unless there is no exchange in it.
fn put_aside(
    folder: &CassetteDir,
    name: &SessionName,
    dir: &Dir,
    old: &mut LockedFile,
) -> Result<(), CassetteError> {
    let path = folder.cassette_path(name);
    let size = old.size().map_err(CassetteError::io("read", &path))?;
    if size <= HEADER.len() as u64 {
        return Ok(());
    }
    let loaded = old.load(folder, &path);
    let is_readable = match &loaded {
        Ok(loaded) => loaded.damage.is_empty(),
        Err(CassetteError::Format { source, .. }) => matches!(source, FormatError::Newer { .. }),
        // It was not read, so nothing speaks against it.
        Err(CassetteError::TooLarge { .. }) => true,
        Err(_) => return loaded.map(drop),
    };
    let mut is_torn = false;
    if let Ok(loaded) = &loaded {
        if loaded.exchanges.is_empty() && loaded.damage.is_empty() {
            return Ok(());
        }
        is_torn = loaded.torn_tail.is_some();
        // What a killed process wrote last was not acknowledged: the rest is complete.
        save_torn_tail(dir, old, &path, loaded).map_err(CassetteError::io("repair", &path))?;
    }
    let is_marked = recording_marker::is_set(dir, &path);
    let is_marked = is_marked.map_err(CassetteError::io("read", &path))?;
    let suffix = match is_readable && !is_marked {
        true => PREVIOUS,
        false => INCOMPLETE,
    };
    dir.rename(&path, &with_suffix(&path, suffix))
        .and_then(|()| dir.sync())
        .map_err(CassetteError::io("rename", &path))?;
    if !is_torn {
        store::remove_unreferenced(folder, name, || load_kept(folder, dir, &path));
    }
    Ok(())
}

/// The cassettes that are kept under other names.
fn load_kept(
    folder: &CassetteDir,
    dir: &Dir,
    path: &Path,
) -> Result<Vec<LoadedCassette>, CassetteError> {
    let mut kept = Vec::new();
    for suffix in [PREVIOUS, INCOMPLETE] {
        let path = with_suffix(path, suffix);
        let file = dir
            .open_read(&path)
            .map_err(CassetteError::io("open", &path))?;
        if let Some(file) = file {
            kept.push(folder.load_file(&file, &path)?);
        }
    }
    Ok(kept)
}
