//! Appending where the disk is full or fails.

use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tempfile::tempdir;

use super::{cassette, sample};
use crate::format::encode::HEADER;
use crate::store::folder::CassetteDir;
use crate::writer::appender::{AppendFile, Appender};
use crate::writer::completion::Completion;
use crate::writer::open_cassette::OpenCassette;
use crate::writer::queue::{Ack, WriteError};
use crate::{decode, encode};
use ouli_message::error_chain::error_chain;

/// A disk with room for some bytes.
#[derive(Clone)]
struct Disk(Arc<Mutex<State>>);

struct State {
    bytes: Vec<u8>,
    room: usize,
    truncates: bool,
    syncs: bool,
}

impl Disk {
    fn new(room: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            bytes: HEADER.as_bytes().to_vec(),
            room,
            truncates: true,
            syncs: true,
        })))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }

    fn appender(&self) -> Appender {
        Appender::with_file(Box::new(self.clone()), HEADER.len() as u64, 1)
    }
}

impl AppendFile for Disk {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let mut state = self.0.lock().unwrap();
        let fits = bytes
            .len()
            .min(state.room.saturating_sub(state.bytes.len()));
        state.bytes.extend_from_slice(&bytes[..fits]);
        match fits == bytes.len() {
            true => Ok(()),
            false => Err(ErrorKind::StorageFull.into()),
        }
    }

    fn truncate(&mut self, size: u64) -> Result<()> {
        let mut state = self.0.lock().unwrap();
        if !state.truncates {
            return Err(Error::other("cannot truncate"));
        }
        state.bytes.truncate(size as usize);
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        match self.0.lock().unwrap().syncs {
            true => Ok(()),
            false => Err(Error::other("cannot sync")),
        }
    }
}

#[test]
fn a_full_disk_leaves_whole_exchanges_only() {
    let (one, two) = (cassette(&[sample(1)]), cassette(&[sample(1), sample(2)]));
    for room in one.len()..two.len() {
        let disk = Disk::new(room);
        let mut appender = disk.appender();
        appender.append(&one[HEADER.len()..], 1, true).unwrap();
        let error = appender.append(&two[one.len()..], 1, true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert_eq!(disk.bytes(), one);
        assert!(!appender.is_broken());
        disk.change(|state| state.room = usize::MAX);
        appender.append(&two[one.len()..], 1, true).unwrap();
        assert_eq!(disk.bytes(), two);
        assert_eq!(appender.next_ordinal(), 3);
    }
}

#[test]
fn a_write_that_cannot_be_synced_is_removed() {
    let one = cassette(&[sample(1)]);
    let disk = Disk::new(usize::MAX);
    disk.change(|state| state.syncs = false);
    let mut appender = disk.appender();
    assert!(appender.append(&one[HEADER.len()..], 1, true).is_err());
    assert_eq!(disk.bytes(), HEADER.as_bytes());
    assert_eq!(appender.next_ordinal(), 1);
    assert!(appender.is_broken(), "a later success would mean nothing");
}

#[test]
fn a_failed_sync_is_reported_once_and_the_file_is_reopened() {
    let home = tempdir().unwrap();
    let folder = CassetteDir::open(home.path(), 1 << 20).unwrap();
    let disk = Disk::new(usize::MAX);
    let mut slot = OpenCassette::new(disk.appender(), "x.jsons".into(), 0);
    let told = stage(&mut slot);
    slot.commit(&folder, false).unwrap();
    assert!(told.lock().unwrap().take().unwrap().is_ok());
    assert!(slot.is_dirty());
    disk.change(|state| state.syncs = false);
    let (count, error) = slot.sync(&folder).unwrap_err();
    assert_eq!(count, 1);
    assert!(
        error_chain(&error).ends_with("cannot sync x.jsons: cannot sync"),
        "{}",
        error_chain(&error)
    );
    assert!(slot.appender.is_broken() && !slot.is_dirty());
    let told = stage(&mut slot);
    assert!(
        slot.commit(&folder, true).is_err(),
        "the file is opened anew"
    );
    assert!(told.lock().unwrap().take().unwrap().is_err());
    assert_eq!(
        disk.bytes(),
        cassette(&[sample(1)]),
        "what counts as written stays"
    );
}

#[test]
fn a_tail_that_cannot_be_truncated_forces_a_reopen() {
    let home = tempdir().unwrap();
    let folder = CassetteDir::open(home.path(), 1 << 20).unwrap();
    let disk = Disk::new(HEADER.len() + 10);
    disk.change(|state| state.truncates = false);
    let mut slot = OpenCassette::new(disk.appender(), "x.jsons".into(), 0);
    let told = stage(&mut slot);
    assert!(slot.commit(&folder, false).is_err(), "the slot is given up");
    let error = told.lock().unwrap().take().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "not written");
    let left = decode(&Bytes::from(disk.bytes())).unwrap();
    assert!(left.torn_tail.is_some() && left.exchanges.is_empty());
}

#[test]
fn a_slot_goes_on_after_a_full_disk() {
    let home = tempdir().unwrap();
    let folder = CassetteDir::open(home.path(), 1 << 20).unwrap();
    let disk = Disk::new(HEADER.len() + 10);
    let mut slot = OpenCassette::new(disk.appender(), "x.jsons".into(), 0);
    let told = stage(&mut slot);
    assert!(slot.commit(&folder, false).is_ok());
    assert!(told.lock().unwrap().take().unwrap().is_err());
    disk.change(|state| state.room = usize::MAX);
    let told = stage(&mut slot);
    assert!(slot.commit(&folder, false).is_ok());
    assert_eq!(told.lock().unwrap().take().unwrap().unwrap().ordinal, 1);
    assert_eq!(disk.bytes(), cassette(&[sample(1)]));
}

type CompletionResult = Arc<Mutex<Option<std::result::Result<Ack, WriteError>>>>;

fn stage(slot: &mut OpenCassette) -> CompletionResult {
    let told = CompletionResult::default();
    let tell = Arc::clone(&told);
    let done = Completion::new(move |outcome| *tell.lock().unwrap() = Some(outcome));
    let ordinal = slot.appender.next_ordinal();
    encode(&mut slot.staged, ordinal, &sample(1), "name.bodies");
    slot.completions.push((done, Ack { ordinal, bytes: 0 }));
    told
}
