//! A disk for tests that is full or fails.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;

use parking_lot::Mutex;

use super::appender::Appender;
use super::locked_file::AppendFile;
use crate::{FileStamp, HEADER};

/// A file on a disk with limited capacity. Clones share it.
#[derive(Clone)]
pub(super) struct FakeDisk(Arc<Mutex<DiskState>>);

pub(super) struct DiskState {
    bytes: Vec<u8>,
    pub(super) capacity: usize,
    pub(super) can_truncate: bool,
    pub(super) can_sync: bool,
}

impl FakeDisk {
    pub(super) fn new(capacity: usize) -> Self {
        Self(Arc::new(Mutex::new(DiskState {
            bytes: HEADER.as_bytes().to_vec(),
            capacity,
            can_truncate: true,
            can_sync: true,
        })))
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut DiskState)) {
        change(&mut self.0.lock());
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().bytes.clone()
    }

    pub(super) fn appender(&self) -> Appender {
        Appender::with_file(Box::new(self.clone()), HEADER.len() as u64, 1)
    }
}

impl AppendFile for FakeDisk {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let mut state = self.0.lock();
        let fits = bytes
            .len()
            .min(state.capacity.saturating_sub(state.bytes.len()));
        state.bytes.extend_from_slice(&bytes[..fits]);
        match fits == bytes.len() {
            true => Ok(()),
            false => Err(ErrorKind::StorageFull.into()),
        }
    }

    fn truncate(&mut self, size: u64) -> Result<()> {
        let mut state = self.0.lock();
        if !state.can_truncate {
            return Err(Error::other("cannot truncate"));
        }
        state.bytes.truncate(size as usize);
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        match self.0.lock().can_sync {
            true => Ok(()),
            false => Err(Error::other("cannot sync")),
        }
    }

    fn copy_to(&mut self, _target: &mut File, _size: u64) -> Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn stamp(&self) -> Option<FileStamp> {
        None
    }

    fn file(&self) -> Option<&File> {
        None
    }
}
