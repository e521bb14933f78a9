//! One open cassette of the writer, and what is staged for it.

use std::mem;
use std::path::PathBuf;

use bytes::Bytes;

use super::appender::Appender;
use super::completion::Completion;
use super::queue::{Ack, WriteError};
use crate::store::body_files;
use crate::store::error::CassetteError;
use crate::store::folder::CassetteDir;
use crate::store::session_name::SessionName;

/// An open cassette.
pub(crate) struct OpenCassette {
    pub(crate) appender: Appender,
    path: PathBuf,
    pub(crate) last_used: u64,
    pub(crate) staged: Vec<u8>,
    pub(crate) completions: Vec<(Completion<Ack>, Ack)>,
    new_bodies: Vec<PathBuf>,
    unsynced_bodies: Vec<PathBuf>,
    /// Exchanges that count as written, and that the disk did not confirm yet.
    unconfirmed: u64,
}

impl OpenCassette {
    pub(crate) fn new(appender: Appender, path: PathBuf, used: u64) -> Self {
        Self {
            appender,
            path,
            last_used: used,
            staged: Vec::new(),
            completions: Vec::new(),
            new_bodies: Vec::new(),
            unsynced_bodies: Vec::new(),
            unconfirmed: 0,
        }
    }

    /// Stores bodies; answers how many bytes that took. All or none of them stay.
    pub(crate) fn store(
        &mut self,
        folder: &CassetteDir,
        name: &SessionName,
        large: &[(String, Bytes)],
        sync: bool,
    ) -> Result<u64, WriteError> {
        let before = self.new_bodies.len();
        let mut stored = 0;
        for (digest, bytes) in large {
            match body_files::store(folder, name, digest, bytes, sync) {
                Ok(None) => {}
                Ok(Some(path)) => {
                    stored += bytes.len() as u64;
                    self.new_bodies.push(path);
                }
                Err(error) => {
                    body_files::remove(folder, self.new_bodies.drain(before..));
                    // Not the name of the file: what is the same fault is told in the same words.
                    let path = folder.bodies_path(name);
                    return Err(CassetteError::io("write a body into", &path)(error).into());
                }
            }
        }
        Ok(stored)
    }

    /// Appends what is staged.
    ///
    /// # Errors
    /// Where the file has to be opened anew. Who waits was told.
    pub(crate) fn commit(&mut self, folder: &CassetteDir, sync: bool) -> Result<(), WriteError> {
        if self.completions.is_empty() {
            return Ok(());
        }
        let staged = mem::take(&mut self.staged);
        let waiting = mem::take(&mut self.completions);
        let fresh = mem::take(&mut self.new_bodies);
        let count = waiting.len() as u64;
        match self.appender.append(&staged, count, sync) {
            Ok(()) => {
                if !sync {
                    self.unconfirmed += count;
                    self.unsynced_bodies.extend(fresh);
                }
                waiting
                    .into_iter()
                    .for_each(|(done, ack)| done.complete(Ok(ack)));
                Ok(())
            }
            Err(error) => {
                body_files::remove(folder, fresh.into_iter());
                let error = WriteError::from(CassetteError::io("write", &self.path)(error));
                for (done, _) in waiting {
                    done.complete(Err(error.clone()));
                }
                match self.appender.is_broken() {
                    true => Err(error),
                    false => Ok(()),
                }
            }
        }
    }

    /// True where the disk did not confirm everything yet.
    pub(crate) fn is_dirty(&self) -> bool {
        self.unconfirmed > 0
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// How many exchanges count as written and were not confirmed, and why. The file has to be
    /// opened anew.
    pub(crate) fn sync(&mut self, folder: &CassetteDir) -> Result<(), (u64, WriteError)> {
        if !self.is_dirty() {
            return Ok(());
        }
        let bodies = mem::take(&mut self.unsynced_bodies);
        let bodies = bodies
            .iter()
            .try_for_each(|path| body_files::sync(folder, path));
        let count = mem::take(&mut self.unconfirmed);
        bodies
            .and_then(|()| self.appender.sync())
            .map_err(|error| (count, CassetteError::io("sync", &self.path)(error).into()))
    }
}
