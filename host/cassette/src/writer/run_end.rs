//! The end of a run: its cassette is synced, and put into the order in which the requests began.

use super::batch_writer::BatchWriter;
use super::check::WriteCheck;
use super::error::WriteError;
use super::locked_file::open_parent;
use super::masking;
use super::open_cassette::OpenCassette;
use super::sorting;
use super::start_order::{Numbering, StartOrder};
use crate::store::{CassetteDir, CassetteError, SessionName};
use ouli_message::error_chain::error_chain;

impl BatchWriter {
    /// Commits, syncs and closes a cassette.
    pub(super) fn release(&mut self, session: &str) -> Result<(), WriteError> {
        let name = SessionName::parse(session).map_err(CassetteError::from)?;
        self.commit();
        self.restore_acknowledged();
        self.count_changed();
        self.claims.remove(&name);
        self.closed.remove(&name);
        self.numberings.remove(&name);
        self.sort(&name);
        self.mask(&name);
        let cassette = self.open_cassettes.remove(&name);
        let outcome = cassette.map_or(Ok(()), |cassette| self.close(&name, cassette));
        self.runs.end(&self.folder, &name);
        outcome
    }

    /// Commits and syncs a cassette, and marks it as complete.
    pub(super) fn end_run(&mut self, session: &str) -> Result<(), WriteError> {
        let name = SessionName::parse(session).map_err(CassetteError::from)?;
        self.commit();
        self.restore_acknowledged();
        self.count_changed();
        if let Some(cassette) = self.open_cassettes.get_mut(&name) {
            // From now on the user may take the cassette away.
            cassette.set_acknowledged(0);
        }
        let synced = self.sync_one(&name);
        if synced.is_ok() {
            self.sort(&name);
            self.mask(&name);
        }
        self.runs.end(&self.folder, &name);
        synced
    }

    /// Commits and syncs a cassette, and writes it anew in the order in which its requests began.
    /// Those that begin until then are in `current`. The cassette stays as it is while one of them
    /// belongs before an exchange that is written.
    pub(super) fn put_in_order(
        &mut self,
        session: &str,
        current: Option<&StartOrder>,
    ) -> Result<(), WriteError> {
        let name = SessionName::parse(session).map_err(CassetteError::from)?;
        self.commit();
        if current.is_some_and(StartOrder::has_early_open) {
            return Ok(());
        }
        self.sync_one(&name)?;
        self.sort(&name);
        self.mask(&name);
        Ok(())
    }

    /// Masks all cassettes with secrets that were found after they had been written.
    pub(super) fn mask_all(&mut self) {
        let names: Vec<_> = self.told.keys().cloned().collect();
        for name in names {
            self.mask(&name);
        }
    }

    /// Masks the secrets of a cassette that were found after they had been written. What cannot be
    /// masked is reported.
    fn mask(&mut self, name: &SessionName) {
        let Some(check) = self.told.remove(name) else {
            return;
        };
        let masked = match self.open_cassettes.get_mut(name) {
            Some(cassette) => cassette.mask((&self.folder, name), &*check),
            None => masking::mask_closed(&self.folder, name, &*check),
        };
        match masked {
            Ok(0) => {}
            Ok(left) => self.unsynced.report(name, (left, WriteError::InClear)),
            Err(error) => {
                tracing::error!(
                    session = name.as_str(),
                    "the secrets of a cassette cannot be masked: {}",
                    error_chain(&error)
                );
                self.unsynced.report(name, (1, WriteError::InClear));
            }
        }
    }

    /// Syncs a cassette. One that cannot be synced is closed.
    fn sync_one(&mut self, name: &SessionName) -> Result<(), WriteError> {
        let Some(cassette) = self.open_cassettes.get_mut(name) else {
            return Ok(());
        };
        cassette.sync(&self.folder).map_err(|unsynced| {
            let error = unsynced.1.clone();
            self.open_cassettes.remove(name);
            self.runs.fail(name);
            self.unsynced.report(name, unsynced);
            error
        })
    }

    /// Writes a cassette anew if it is not in the order in which its requests began. If that fails,
    /// it stays as it is: a reader sorts it.
    fn sort(&mut self, name: &SessionName) {
        let is_unordered = self.unordered.lock().contains(name);
        let cassette = self.open_cassettes.get_mut(name);
        let cassette = cassette.filter(|it| is_unordered && !it.must_be_read_again());
        let Some(cassette) = cassette else {
            return;
        };
        match cassette.sort(&self.folder) {
            Ok(()) => drop(self.unordered.lock().remove(name)),
            Err(error) => sorting::report(name, &error),
        }
    }
}

impl OpenCassette {
    /// Writes the cassette anew in the order in which its requests began.
    ///
    /// # Errors
    /// If it cannot be written. It stays as it is.
    pub(super) fn sort(&mut self, folder: &CassetteDir) -> Result<(), WriteError> {
        let failed = CassetteError::io("sort", &self.path);
        let dir = open_parent(folder, &self.path)?;
        let sorted = self.appender.sort(&dir, &self.path, folder.max_file_size());
        if sorted.map_err(failed)? {
            self.numbering = Numbering::next();
        }
        Ok(())
    }

    /// Masks secrets that were found after they had been written. Returns the number of exchanges
    /// that still have one.
    ///
    /// # Errors
    /// If it cannot be written. It stays as it is.
    pub(super) fn mask(
        &mut self,
        (folder, name): (&CassetteDir, &SessionName),
        check: &dyn WriteCheck,
    ) -> Result<u64, WriteError> {
        let dir = open_parent(folder, &self.path)?;
        let masked = self
            .appender
            .mask((&dir, &self.path), (folder, name), check);
        Ok(masked.map_err(CassetteError::io("mask", &self.path))?)
    }
}
