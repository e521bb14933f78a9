//! Starts a new cassette, and keeps the old one under another name.

use std::collections::HashSet;
use std::path::Path;

use super::appender::{Appender, save_torn_tail};
use super::locked_file::{LockedFile, open_locked, open_parent, scan_file, with_suffix};
use crate::format::{FormatError, HEADER, LoadedCassette};
use crate::store::own_suffixes::{INCOMPLETE, PREVIOUS};
use crate::store::{self, CassetteDir, CassetteError, Dir, SessionName, recording_marker};
use ouli_message::Content;

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
    let state = match old.count_if_whole(folder.max_file_size()) {
        Ok(Some(0)) => return Ok(()),
        Ok(Some(_)) => OldState::Whole,
        Ok(None) => match read_all((dir, folder), &path, old)? {
            Some(state) => state,
            None => return Ok(()),
        },
        Err(error) => return Err(CassetteError::io("read", &path)(error)),
    };
    let is_marked = recording_marker::is_set(dir, &path);
    let is_marked = is_marked.map_err(CassetteError::io("read", &path))?;
    let suffix = match state {
        OldState::Whole | OldState::Torn if !is_marked => PREVIOUS,
        OldState::Whole | OldState::Torn | OldState::Damaged => INCOMPLETE,
    };
    dir.rename(&path, &with_suffix(&path, suffix))
        .and_then(|()| dir.sync())
        .map_err(CassetteError::io("rename", &path))?;
    if state != OldState::Torn {
        store::remove_unreferenced(folder, name, || referenced(folder, dir, &path));
    }
    Ok(())
}

/// What the cassette is that a rotation puts aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OldState {
    /// It has exchanges only, or is not read: then nothing speaks against it.
    Whole,
    /// Its last exchange was not acknowledged, and is set aside.
    Torn,
    /// A part of it cannot be read.
    Damaged,
}

/// Reads a cassette that is not exchanges alone, and repairs its end. `None` if it is empty.
fn read_all(
    (dir, folder): (&Dir, &CassetteDir),
    path: &Path,
    old: &mut LockedFile,
) -> Result<Option<OldState>, CassetteError> {
    let loaded = match old.load(folder, path) {
        Ok(loaded) => loaded,
        Err(CassetteError::Format {
            source: FormatError::Newer { .. },
            ..
        })
        | Err(CassetteError::TooLarge { .. }) => return Ok(Some(OldState::Whole)),
        Err(CassetteError::Format { .. }) => return Ok(Some(OldState::Damaged)),
        Err(error) => return Err(error),
    };
    let is_damaged = !loaded.damage.is_empty();
    if loaded.exchanges.is_empty() && !is_damaged {
        return Ok(None);
    }
    // What a killed process wrote last was not acknowledged: the rest is complete.
    save_torn_tail(dir, old, path, &loaded).map_err(CassetteError::io("repair", path))?;
    Ok(Some(match (is_damaged, &loaded.torn_tail) {
        (true, _) => OldState::Damaged,
        (false, Some(_)) => OldState::Torn,
        (false, None) => OldState::Whole,
    }))
}

/// The digests of the stored bodies to which the cassettes refer that are kept under other names.
/// `None` if a part of one cannot be read.
fn referenced(folder: &CassetteDir, dir: &Dir, path: &Path) -> Option<HashSet<String>> {
    let mut digests = HashSet::new();
    for suffix in [PREVIOUS, INCOMPLETE] {
        let Some(file) = dir.open_read(&with_suffix(path, suffix)).ok()? else {
            continue;
        };
        let is_whole = scan_file(&file, folder.max_file_size(), |recorded| {
            let stored = recorded.exchange.contents().filter_map(Content::digest);
            digests.extend(stored.map(str::to_owned));
        });
        if !is_whole.ok()? {
            return None;
        }
    }
    Some(digests)
}
