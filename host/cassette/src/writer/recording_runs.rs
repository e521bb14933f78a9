//! The cassettes that were started by this writer, and whether each exchange of them was written.

use std::collections::HashMap;

use super::locked_file::open_parent;
use super::rotation;
use crate::store::{CassetteDir, CassetteError, SessionName, recording_marker};

/// The cassettes that are being recorded. There is one for each session in use at most: a released
/// session has none.
#[derive(Default)]
pub(super) struct RecordingRuns {
    /// True if every exchange until now was written.
    whole: HashMap<SessionName, bool>,
}

/// What was found of a cassette whose run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resumed {
    Found,
    /// Another program has removed it.
    Removed,
}

impl RecordingRuns {
    /// A new cassette was started.
    pub(super) fn begin(&mut self, name: SessionName) {
        self.whole.insert(name, true);
    }

    /// A run goes on whose cassette was released. The marker is set again; a cassette that had it,
    /// or that is gone, is not whole.
    ///
    /// # Errors
    /// If the marker cannot be set.
    pub(super) fn resume(
        &mut self,
        folder: &CassetteDir,
        name: &SessionName,
    ) -> Result<Resumed, CassetteError> {
        let path = folder.cassette_path(name);
        let dir = open_parent(folder, &path)?;
        let failed = || CassetteError::io("mark", &path);
        let is_removed = !dir.has(&path).map_err(failed())?;
        let is_marked = recording_marker::is_set(&dir, &path).map_err(failed())?;
        recording_marker::set(&dir, &path).map_err(failed())?;
        self.whole.insert(name.clone(), !is_marked && !is_removed);
        Ok(match is_removed {
            true => Resumed::Removed,
            false => Resumed::Found,
        })
    }

    /// True if a new cassette was started, and its run has not ended.
    pub(super) fn contains(&self, name: &SessionName) -> bool {
        self.whole.contains_key(name)
    }

    /// An exchange was not written, so the cassette stays incomplete.
    pub(super) fn fail(&mut self, name: &SessionName) {
        if let Some(whole) = self.whole.get_mut(name) {
            *whole = false;
        }
    }

    /// The run of a cassette has ended in an orderly way, and everything is synced.
    pub(super) fn end(&mut self, folder: &CassetteDir, name: &SessionName) {
        if self.whole.remove(name) == Some(true) {
            rotation::complete(folder, name);
        }
    }

    /// As [`Self::end`], for all cassettes.
    pub(super) fn end_all(&mut self, folder: &CassetteDir) {
        for (name, whole) in self.whole.drain() {
            if whole {
                rotation::complete(folder, &name);
            }
        }
    }
}
