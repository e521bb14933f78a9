//! An open cassette of the writer, and the exchanges that are staged for it.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use bytes::Bytes;

use super::appender::Appender;
use super::check::{CheckRejection, WriteCheck};
use super::completion::Completion;
use super::error::WriteError;
use super::request::Ack;
use crate::format::encode;
use crate::store::{self, CassetteDir, CassetteError, SessionName};
use ouli_message::Exchange;

/// An open cassette.
pub(super) struct OpenCassette {
    /// A counter value of the last use: the least recently used cassette is closed first.
    pub(super) last_used: u64,
    appender: Appender,
    path: PathBuf,
    batch: Batch,
    unsynced: Unsynced,
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

/// A body that is stored as a file: its digest and its content.
pub(super) type LargeBody = (String, Bytes);

impl OpenCassette {
    pub(super) fn new(appender: Appender, path: PathBuf, last_used: u64) -> Self {
        Self {
            last_used,
            appender,
            path,
            batch: Batch::default(),
            unsynced: Unsynced::default(),
        }
    }

    /// Encodes and checks an exchange, and stores its large bodies. On success, the caller passes the
    /// acknowledgement to [`Self::acknowledge_on_commit`].
    ///
    /// # Errors
    /// If the check rejects the exchange, or a body cannot be stored. Nothing of the exchange remains.
    pub(super) fn stage(
        &mut self,
        (folder, name): (&CassetteDir, &SessionName),
        exchange: &Exchange,
        large: &[LargeBody],
        check: &dyn WriteCheck,
        sync: bool,
    ) -> Result<Ack, WriteError> {
        let ordinal = self.appender.next_ordinal() + self.batch.acks.len() as u64;
        let start = self.batch.text.len();
        encode(&mut self.batch.text, ordinal, exchange, &name.bodies_dir());
        let encoded = &self.batch.text[start..];
        let bytes = encoded.len() as u64;
        check_all(check, encoded, large)
            .and_then(|()| self.store_bodies(folder, name, large, sync))
            .map(|stored| Ack {
                ordinal,
                bytes: bytes + stored,
            })
            .inspect_err(|_| self.batch.text.truncate(start))
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
                    // The message names the folder and not the file, so that the same failure has the
                    // same message for every body and is logged once.
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
                for (completion, ack) in acks {
                    completion.complete(Ok(ack));
                }
                Ok(())
            }
            Err(error) => {
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

fn check_all(check: &dyn WriteCheck, text: &[u8], large: &[LargeBody]) -> Result<(), WriteError> {
    let check_all = || {
        check.check(text)?;
        large.iter().try_for_each(|(_, bytes)| check.check(bytes))
    };
    // A check that panics counts as a rejection.
    catch_unwind(AssertUnwindSafe(check_all))
        .unwrap_or_else(|_| {
            Err(CheckRejection {
                rule: "check".to_owned(),
                reason: "the check panicked".to_owned(),
            })
        })
        .map_err(WriteError::Refused)
}

#[cfg(test)]
mod tests;
