//! The cassettes that were started by this writer, and whether each exchange of them was written.

use std::collections::HashMap;

use super::rotation;
use crate::store::{CassetteDir, SessionName};

/// The cassettes that are being recorded. There is one for each session in use at most: a released
/// session has none.
#[derive(Default)]
pub(super) struct RecordingRuns {
    /// True if every exchange until now was written.
    whole: HashMap<SessionName, bool>,
}

impl RecordingRuns {
    /// A new cassette was started.
    pub(super) fn begin(&mut self, name: SessionName) {
        self.whole.insert(name, true);
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
