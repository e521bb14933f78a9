//! Cassettes that another program removes or changes while they are recorded.

use super::batch_writer::BatchWriter;
use super::error::WriteError;
use super::open_cassette::OpenCassette;
use super::recording_runs::Resumed;
use crate::store::{ChangePolicy, SessionName};

impl BatchWriter {
    /// Writes the cassettes anew that another program has removed. They are still open here, so
    /// nothing of them is lost but stored bodies. If one cannot be written, what is staged for it
    /// is refused.
    pub(super) fn restore_removed(&mut self, is_selected: impl Fn(&OpenCassette) -> bool) {
        let (folder, runs) = (&self.folder, &mut self.runs);
        let cassettes = self.open_cassettes.iter_mut();
        for (name, cassette) in cassettes.filter(|(_, it)| is_selected(it) && it.was_removed()) {
            let (lost, error) = match cassette.restore(folder, name, runs.contains(name)) {
                Ok(0) => (0, WriteError::Restored),
                Ok(lost) => (lost, WriteError::Removed),
                Err(error) => {
                    cassette.refuse_staged(folder, &error);
                    (0, error)
                }
            };
            if lost > 0 {
                runs.fail(name);
            }
            self.unsynced.report_removed(name, lost, &error);
        }
    }

    /// As [`Self::restore_removed`], for the exchanges of runs that have not ended. What cannot be
    /// written anew is counted.
    pub(super) fn restore_acknowledged(&mut self) {
        let is_selected = |cassette: &OpenCassette| cassette.acknowledged() > 0;
        self.restore_removed(is_selected);
        for (name, cassette) in &mut self.open_cassettes {
            if is_selected(cassette) && cassette.was_removed() {
                self.runs.fail(name);
                let count = cassette.acknowledged();
                cassette.set_acknowledged(0);
                self.unsynced
                    .report_removed(name, count, &WriteError::Removed);
            }
        }
    }

    /// Counts the acknowledged exchanges that another program has removed from cassettes.
    pub(super) fn count_changed(&mut self) {
        let changed: Vec<_> = self
            .open_cassettes
            .iter()
            .filter(|(_, it)| it.acknowledged() > 0 && it.must_be_read_again())
            .map(|(name, _)| name.clone())
            .collect();
        for name in changed {
            self.count_lost(&name);
        }
    }

    /// Counts the acknowledged exchanges that a changed cassette has no longer. Returns the number
    /// of those that it has.
    pub(super) fn count_lost(&mut self, name: &SessionName) -> u64 {
        let Some(cassette) = self.open_cassettes.get_mut(name) else {
            return 0;
        };
        let (acknowledged, expected) = (cassette.acknowledged(), cassette.acknowledged_ordinals());
        let loaded = self.folder.load(name.as_str(), ChangePolicy::Mark);
        let exchanges = loaded.ok().flatten().map(|loaded| loaded.exchanges);
        let found = exchanges.into_iter().flatten();
        let kept = found.filter(|it| expected.contains(&it.ordinal)).count() as u64;
        let kept = kept.min(acknowledged);
        cassette.set_acknowledged(kept);
        if kept < acknowledged {
            self.runs.fail(name);
            let lost = acknowledged - kept;
            self.unsynced
                .report_removed(name, lost, &WriteError::Changed);
        }
        kept
    }

    /// Counts the exchanges of a cassette that was closed here and then removed.
    pub(super) fn report_if_removed(&mut self, name: &SessionName) {
        if self.closed.contains_key(name)
            && !self.folder.cassette_path(name).exists()
            && let Some(count) = self.closed.remove(name)
        {
            self.runs.fail(name);
            self.unsynced
                .report_removed(name, count, &WriteError::Removed);
        }
    }

    /// As [`Self::report_if_removed`], for all cassettes that were closed here.
    pub(super) fn report_all_removed(&mut self) {
        let closed: Vec<_> = self.closed.keys().cloned().collect();
        for name in closed {
            self.report_if_removed(&name);
        }
    }

    /// Before an exchange of a run of `record`: the cassette of a session that was forgotten has no
    /// marker any more.
    pub(super) fn resume_run(&mut self, name: &SessionName) -> Result<(), WriteError> {
        if self.runs.contains(name) {
            return Ok(());
        }
        if self.runs.resume(&self.folder, name)? == Resumed::Removed {
            // How many exchanges it had is not known any more.
            self.unsynced.report_removed(name, 1, &WriteError::Removed);
        }
        Ok(())
    }
}
