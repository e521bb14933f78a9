//! An open cassette of the writer, and the exchanges that are staged for it.

use std::mem;
use std::ops::Range;
use std::path::PathBuf;

use super::appender::Appender;
use super::check::{WriteCheck, check_all};
use super::completion::Completion;
use super::error::WriteError;
use super::large_bodies::LargeBody;
use super::locked_file::open_parent;
use super::request::Ack;
use super::start_order::{Numbering, RequestStart};
use crate::format::{Place, encode};
use crate::store::{self, CassetteDir, CassetteError, SessionName, recording_marker};
use ouli_message::Exchange;

/// An open cassette.
pub(super) struct OpenCassette {
    /// A counter value of the last use: the least recently used cassette is closed first.
    pub(super) last_used: u64,
    pub(super) appender: Appender,
    pub(super) path: PathBuf,
    batch: Batch,
    unsynced: Unsynced,
    /// Exchanges that were acknowledged and are not delivered by the end of a run.
    acknowledged: u64,
    /// An exchange could not be written.
    has_lost: bool,
    /// What the numbers of its exchanges can be compared with.
    pub(super) numbering: Numbering,
    /// An exchange was appended after one whose request began later.
    is_unordered: bool,
}

/// Exchanges that are staged and not yet written.
#[derive(Default)]
struct Batch {
    text: Vec<u8>,
    acks: Vec<(Completion<Ack>, Ack)>,
    /// Bodies that were stored for these exchanges.
    new_bodies: Vec<PathBuf>,
}

/// Acknowledged exchanges that are not yet synced to the disk.
#[derive(Default)]
struct Unsynced {
    exchanges: u64,
    bodies: Vec<PathBuf>,
}

impl OpenCassette {
    pub(super) fn new(appender: Appender, path: PathBuf, last_used: u64) -> Self {
        Self {
            last_used,
            acknowledged: 0,
            appender,
            path,
            batch: Batch::default(),
            unsynced: Unsynced::default(),
            has_lost: false,
            numbering: Numbering::next(),
            is_unordered: false,
        }
    }

    /// Encodes and checks an exchange, and stores its large bodies. On success, the caller passes
    /// the acknowledgement to [`Self::acknowledge_on_commit`].
    ///
    /// # Errors
    /// If the check rejects the exchange, or a body cannot be stored. Nothing of the exchange
    /// remains.
    pub(super) fn stage(
        &mut self,
        (folder, name): (&CassetteDir, &SessionName),
        (exchange, request_start): (&Exchange, Option<&RequestStart>),
        large: &[LargeBody],
        check: &dyn WriteCheck,
        sync: bool,
    ) -> Result<Ack, WriteError> {
        let place = Place {
            number: self.appender.next_ordinal() + self.batch.acks.len() as u64,
            before: request_start.and_then(|it| it.before(self.numbering)),
        };
        let start = self.batch.text.len();
        let bodies = store::bodies_of(&self.path);
        let bodies = bodies.file_name().unwrap_or_default().to_string_lossy();
        encode(&mut self.batch.text, place, exchange, &bodies);
        let encoded = &self.batch.text[start..];
        let bytes = encoded.len() as u64;
        let stored = check_all(check, encoded, large)
            .map_err(WriteError::Refused)
            .and_then(|()| self.store_bodies(folder, name, large, sync))
            .inspect_err(|_| self.batch.text.truncate(start))?;
        if let Some(request_start) = request_start {
            request_start.written(self.numbering, place.number);
        }
        Ok(Ack {
            place,
            bytes: bytes + stored,
            stamp: None,
        })
    }

    /// Calls the completion of a staged exchange once the batch is committed.
    pub(super) fn acknowledge_on_commit(&mut self, completion: Completion<Ack>, ack: Ack) {
        self.batch.acks.push((completion, ack));
    }

    /// Stores bodies, all or none, and returns the number of bytes that were written.
    fn store_bodies(
        &mut self,
        folder: &CassetteDir,
        name: &SessionName,
        large: &[LargeBody],
        sync: bool,
    ) -> Result<u64, WriteError> {
        let before = self.batch.new_bodies.len();
        let mut stored = 0;
        for (digest, bytes) in large {
            match store::store_body(folder, name, digest, bytes, sync) {
                Ok(None) => {}
                Ok(Some(path)) => {
                    stored += bytes.len() as u64;
                    self.batch.new_bodies.push(path);
                }
                Err(error) => {
                    store::remove_bodies(folder, self.batch.new_bodies.drain(before..));
                    // The message names the folder and not the file, so that the same failure has
                    // the same message for every body and is logged once.
                    let path = folder.bodies_path(name);
                    return Err(CassetteError::io("write a body into", &path)(error).into());
                }
            }
        }
        Ok(stored)
    }

    /// Appends the staged exchanges and calls their completions.
    ///
    /// # Errors
    /// If the file has to be reopened.
    pub(super) fn commit(&mut self, folder: &CassetteDir, sync: bool) -> Result<(), WriteError> {
        if self.batch.acks.is_empty() {
            return Ok(());
        }
        let Batch {
            text,
            acks,
            new_bodies,
        } = mem::take(&mut self.batch);
        let count = acks.len() as u64;
        match self.appender.append(&text, count, sync) {
            Ok(()) => {
                if !sync {
                    self.unsynced.exchanges += count;
                    self.unsynced.bodies.extend(new_bodies);
                }
                self.acknowledged += count;
                self.is_unordered |= acks.iter().any(|(_, ack)| ack.place.before.is_some());
                let stamp = self.appender.stamp();
                for (completion, ack) in acks {
                    completion.complete(Ok(Ack { stamp, ..ack }));
                }
                Ok(())
            }
            Err(error) => {
                self.has_lost = true;
                self.numbering = Numbering::next();
                store::remove_bodies(folder, new_bodies.into_iter());
                let error = WriteError::from(CassetteError::io("write", &self.path)(error));
                for (completion, _) in acks {
                    completion.complete(Err(error.clone()));
                }
                match self.appender.needs_reopen() {
                    true => Err(error),
                    false => Ok(()),
                }
            }
        }
    }

    /// Refuses the staged exchanges.
    pub(super) fn refuse_staged(&mut self, folder: &CassetteDir, error: &WriteError) {
        let batch = mem::take(&mut self.batch);
        self.has_lost = true;
        self.numbering = Numbering::next();
        store::remove_bodies(folder, batch.new_bodies.into_iter());
        for (completion, _) in batch.acks {
            completion.complete(Err(error.clone()));
        }
    }

    /// True if exchanges are staged.
    pub(super) fn has_staged(&self) -> bool {
        !self.batch.acks.is_empty()
    }

    /// The number of exchanges that were acknowledged since the last run ended.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// The ordinals of the acknowledged exchanges.
    pub(super) fn acknowledged_ordinals(&self) -> Range<u64> {
        let end = self.appender.next_ordinal();
        end.saturating_sub(self.acknowledged)..end
    }

    /// This many exchanges were acknowledged before the cassette was closed and opened again.
    pub(super) fn set_acknowledged(&mut self, count: u64) {
        self.acknowledged = count;
    }

    /// True if another program has removed the file.
    pub(super) fn was_removed(&self) -> bool {
        self.appender.was_removed(&self.path)
    }

    /// Writes the file that was removed anew. Returns the number of its exchanges whose stored
    /// bodies were removed too.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn restore(
        &mut self,
        folder: &CassetteDir,
        name: &SessionName,
        is_recording: bool,
    ) -> Result<u64, WriteError> {
        let failed = || CassetteError::io("restore", &self.path);
        let dir = open_parent(folder, &self.path)?;
        if is_recording {
            recording_marker::set(&dir, &self.path).map_err(failed())?;
        }
        self.appender.restore(&dir, &self.path).map_err(failed())?;
        Ok(folder.count_without_bodies(name.as_str()))
    }

    /// True if an exchange was appended after one whose request began later. It is told once.
    pub(super) fn take_unordered(&mut self) -> bool {
        mem::take(&mut self.is_unordered)
    }

    /// True once an exchange could not be written.
    pub(super) fn has_lost(&self) -> bool {
        self.has_lost
    }

    /// True if another program has changed the file, and nothing is staged for it.
    pub(super) fn must_be_read_again(&self) -> bool {
        !self.has_staged() && self.appender.was_changed(&self.path)
    }

    /// True if acknowledged exchanges are not yet synced to the disk.
    pub(super) fn is_dirty(&self) -> bool {
        self.unsynced.exchanges > 0
    }

    /// Syncs everything to the disk.
    ///
    /// # Errors
    /// The number of acknowledged exchanges that were not synced, and the error. The file has to be
    /// reopened.
    pub(super) fn sync(&mut self, folder: &CassetteDir) -> Result<(), (u64, WriteError)> {
        if !self.is_dirty() {
            return Ok(());
        }
        let Unsynced { exchanges, bodies } = mem::take(&mut self.unsynced);
        bodies
            .iter()
            .try_for_each(|path| store::sync_body(folder, path))
            .and_then(|()| self.appender.sync())
            .map_err(|error| {
                (
                    exchanges,
                    CassetteError::io("sync", &self.path)(error).into(),
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, sync_channel};

    use bytes::Bytes;
    use tempfile::tempdir;

    use super::*;
    use crate::test_exchanges::{self, sample};
    use crate::writer::check::CheckRejection;
    use crate::writer::fake_disk::FakeDisk;
    use crate::{HEADER, decode};
    use ouli_message::error_chain::error_chain;

    #[derive(Debug)]
    struct AcceptAll;

    impl WriteCheck for AcceptAll {
        fn check(&self, _bytes: &[u8]) -> Result<(), CheckRejection> {
            Ok(())
        }
    }

    #[test]
    fn a_failed_sync_is_reported_once_and_the_file_is_reopened() {
        let home = tempdir().unwrap();
        let folder = CassetteDir::open(home.path(), 1 << 20).unwrap();
        let disk = FakeDisk::new(usize::MAX);
        let mut cassette = OpenCassette::new(disk.appender(), "x.jsons".into(), 0);
        let outcome = stage(&mut cassette, &folder);
        cassette.commit(&folder, false).unwrap();
        assert!(outcome.recv().unwrap().is_ok());
        assert!(cassette.is_dirty());
        disk.change(|state| state.can_sync = false);
        let (count, error) = cassette.sync(&folder).unwrap_err();
        assert_eq!(count, 1);
        assert!(
            error_chain(&error).ends_with("cannot sync x.jsons: cannot sync"),
            "{}",
            error_chain(&error)
        );
        assert!(cassette.appender.needs_reopen() && !cassette.is_dirty());
        let outcome = stage(&mut cassette, &folder);
        assert!(
            cassette.commit(&folder, true).is_err(),
            "the file has to be reopened"
        );
        assert!(outcome.recv().unwrap().is_err());
        assert_eq!(
            disk.bytes(),
            test_exchanges::cassette(&[sample(1)]),
            "acknowledged exchanges stay"
        );
    }

    #[test]
    fn a_tail_that_cannot_be_truncated_forces_a_reopen() {
        let home = tempdir().unwrap();
        let folder = CassetteDir::open(home.path(), 1 << 20).unwrap();
        let disk = FakeDisk::new(HEADER.len() + 10);
        disk.change(|state| state.can_truncate = false);
        let mut cassette = OpenCassette::new(disk.appender(), "x.jsons".into(), 0);
        let outcome = stage(&mut cassette, &folder);
        assert!(
            cassette.commit(&folder, false).is_err(),
            "the file has to be reopened"
        );
        let error = outcome.recv().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "not written");
        let loaded = decode(&Bytes::from(disk.bytes())).unwrap();
        assert!(loaded.torn_tail.is_some() && loaded.exchanges.is_empty());
    }

    #[test]
    fn a_full_disk_does_not_affect_later_exchanges() {
        let home = tempdir().unwrap();
        let folder = CassetteDir::open(home.path(), 1 << 20).unwrap();
        let disk = FakeDisk::new(HEADER.len() + 10);
        let mut cassette = OpenCassette::new(disk.appender(), "x.jsons".into(), 0);
        let outcome = stage(&mut cassette, &folder);
        assert!(cassette.commit(&folder, false).is_ok());
        assert!(outcome.recv().unwrap().is_err());
        disk.change(|state| state.capacity = usize::MAX);
        let outcome = stage(&mut cassette, &folder);
        assert!(cassette.commit(&folder, false).is_ok());
        assert_eq!(outcome.recv().unwrap().unwrap().place, Place::from(1));
        assert_eq!(disk.bytes(), test_exchanges::cassette(&[sample(1)]));
    }

    type Outcome = Result<Ack, WriteError>;

    fn stage(cassette: &mut OpenCassette, folder: &CassetteDir) -> Receiver<Outcome> {
        let name = SessionName::parse("name").unwrap();
        let ack = cassette.stage((folder, &name), (&sample(1), None), &[], &AcceptAll, false);
        let (sender, outcome) = sync_channel(1);
        let completion = Completion::new(move |outcome| sender.send(outcome).unwrap());
        cassette.acknowledge_on_commit(completion, ack.unwrap());
        outcome
    }
}
