//! One open cassette of the writer, and what is staged for it.

use std::path::{Path, PathBuf};
use std::{fs, mem};

use bytes::Bytes;

use super::append::Appender;
use super::{Ack, CassetteError, Done, Folder, SessionName, WriteError, bodies};

/// An open cassette.
pub(super) struct Slot {
    pub(super) appender: Appender,
    path: PathBuf,
    pub(super) used: u64,
    pub(super) staged: Vec<u8>,
    pub(super) waiting: Vec<(Done<Ack>, Ack)>,
    new_bodies: Vec<PathBuf>,
    unsynced: Vec<PathBuf>,
    pub(super) dirty: bool,
}

impl Slot {
    pub(super) fn new(appender: Appender, path: PathBuf, used: u64) -> Self {
        Self {
            appender,
            path,
            used,
            staged: Vec::new(),
            waiting: Vec::new(),
            new_bodies: Vec::new(),
            unsynced: Vec::new(),
            dirty: false,
        }
    }

    /// Stores bodies; answers how many bytes that took. All or none of them stay.
    pub(super) fn store(
        &mut self,
        folder: &Folder,
        name: &SessionName,
        large: &[(String, Bytes)],
        sync: bool,
    ) -> Result<u64, WriteError> {
        let before = self.new_bodies.len();
        let mut stored = 0;
        for (digest, bytes) in large {
            match bodies::store(folder, name, digest, bytes, sync) {
                Ok(None) => {}
                Ok(Some(path)) => {
                    stored += bytes.len() as u64;
                    self.new_bodies.push(path);
                }
                Err(error) => {
                    remove(self.new_bodies.drain(before..));
                    let path = folder.bodies_of(name).join(digest);
                    return Err(CassetteError::io("write", &path)(error).into());
                }
            }
        }
        Ok(stored)
    }

    /// Appends what is staged. False where the file has to be opened anew.
    pub(super) fn commit(&mut self, sync: bool) -> bool {
        if self.waiting.is_empty() {
            return true;
        }
        let staged = mem::take(&mut self.staged);
        let waiting = mem::take(&mut self.waiting);
        let fresh = mem::take(&mut self.new_bodies);
        let count = waiting.len() as u64;
        match self.appender.append(&staged, count, sync) {
            Ok(()) => {
                self.dirty |= !sync;
                if !sync {
                    self.unsynced.extend(fresh);
                }
                waiting
                    .into_iter()
                    .for_each(|(done, ack)| done.tell(Ok(ack)));
                true
            }
            Err(error) => {
                remove(fresh.into_iter());
                let error = WriteError::from(CassetteError::io("write", &self.path)(error));
                for (done, _) in waiting {
                    done.tell(Err(error.clone()));
                }
                !self.appender.is_broken()
            }
        }
    }

    pub(super) fn sync(&mut self) -> Result<(), WriteError> {
        if !mem::take(&mut self.dirty) {
            return Ok(());
        }
        let bodies = mem::take(&mut self.unsynced);
        let bodies = bodies.iter().try_for_each(|path| bodies::sync(path));
        bodies
            .and_then(|()| self.appender.sync())
            .map_err(|error| CassetteError::io("write", &self.path)(error).into())
    }
}

fn remove(paths: impl Iterator<Item = impl AsRef<Path>>) {
    for path in paths {
        let _ = fs::remove_file(path);
    }
}
