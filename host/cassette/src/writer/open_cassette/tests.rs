//! Commits and syncs on a disk that is full or fails.

use std::sync::mpsc::{Receiver, sync_channel};

use bytes::Bytes;
use tempfile::tempdir;

use super::OpenCassette;
use crate::store::{CassetteDir, SessionName};
use crate::test_exchanges::{self, sample};
use crate::writer::fake_disk::FakeDisk;
use crate::{Ack, CheckRejection, Completion, HEADER, WriteCheck, WriteError, decode};
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
    assert_eq!(outcome.recv().unwrap().unwrap().ordinal, 1);
    assert_eq!(disk.bytes(), test_exchanges::cassette(&[sample(1)]));
}

type Outcome = Result<Ack, WriteError>;

fn stage(cassette: &mut OpenCassette, folder: &CassetteDir) -> Receiver<Outcome> {
    let name = SessionName::parse("name").unwrap();
    let ack = cassette.stage((folder, &name), &sample(1), &[], &AcceptAll, false);
    let (sender, outcome) = sync_channel(1);
    let completion = Completion::new(move |outcome| sender.send(outcome).unwrap());
    cassette.acknowledge_on_commit(completion, ack.unwrap());
    outcome
}
