//! Cassettes that another program removes or changes while they are recorded.

use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use parking_lot::Mutex;
use tempfile::{TempDir, tempdir};

use super::{OPTIONS, WordCheck, request};
use crate::test_exchanges::{sample, text};
use crate::{CassetteDir, ChangePolicy, Completion, WriteRequest, Writer, WriterOptions};
use ouli_message::Exchange;

/// What the writer reported: session, number of exchanges, error.
type Reports = Arc<Mutex<Vec<(String, u64, String)>>>;

struct Fixture {
    _home: TempDir,
    folder: CassetteDir,
    writer: Writer,
    reports: Reports,
}

fn fixture(max_open: usize) -> Fixture {
    let home = tempdir().unwrap();
    let folder = CassetteDir::open(&home.path().join("cassettes"), 1 << 20).unwrap();
    let reports = Reports::default();
    let seen = Arc::clone(&reports);
    let on_unsynced = Box::new(
        move |session: &str, count: u64, error: &crate::WriteError| {
            seen.lock()
                .push((session.to_owned(), count, error.to_string()));
        },
    );
    let options = WriterOptions {
        max_open: NonZero::new(max_open).unwrap(),
        ..OPTIONS
    };
    let writer = Writer::start(folder.clone(), options, on_unsynced).unwrap();
    Fixture {
        _home: home,
        folder,
        writer,
        reports,
    }
}

impl Fixture {
    fn write(&self, session: &str, exchange: Exchange, is_recording: bool) {
        let (request, outcome) = request(session, exchange, Arc::new(WordCheck::default()));
        self.writer.submit(WriteRequest {
            is_recording,
            start: None,
            ..request
        });
        outcome.recv().unwrap().unwrap();
    }

    fn rotate(&self, session: &str) {
        let (sender, done) = sync_channel(1);
        let completion = Completion::new(move |outcome| sender.send(outcome).unwrap());
        self.writer.rotate(session, completion);
        done.recv().unwrap().unwrap();
    }

    fn release(&self, session: &str) {
        let (sender, done) = sync_channel(1);
        let completion = Completion::new(move |outcome| sender.send(outcome).unwrap());
        self.writer.release(session, completion);
        done.recv().unwrap().unwrap();
    }

    fn path(&self, session: &str) -> PathBuf {
        self.folder.session_path(session).unwrap()
    }

    /// The exchanges of a cassette; none if there is no file.
    fn count(&self, session: &str) -> usize {
        let loaded = self.folder.load(session, ChangePolicy::Refuse).unwrap();
        loaded.map_or(0, |loaded| loaded.exchanges.len())
    }

    fn reported(&self) -> Vec<(String, u64, String)> {
        self.reports.lock().clone()
    }
}

const RESTORED: &str = "removed by another program, and written anew";
const REMOVED: &str = "removed by another program after they were written";

fn report(session: &str, count: u64, error: &str) -> (String, u64, String) {
    (session.to_owned(), count, error.to_owned())
}

#[test]
fn a_cassette_that_is_removed_is_written_anew_with_the_next_exchange() {
    let fixture = fixture(2);
    fixture.rotate("a/x");
    for number in 1..=2 {
        fixture.write("a/x", sample(number), true);
    }
    fs::remove_file(fixture.path("a/x")).unwrap();
    fixture.write("a/x", sample(3), true);
    assert_eq!(fixture.count("a/x"), 3);
    fs::remove_dir_all(fixture.folder.root()).unwrap();
    fixture.write("a/x", sample(4), true);
    assert_eq!(fixture.count("a/x"), 4);
    assert!(
        fixture.folder.incomplete("a/x").is_some(),
        "its run goes on"
    );
    fixture.writer.close().unwrap();
    assert_eq!(fixture.count("a/x"), 4);
    assert!(fixture.folder.incomplete("a/x").is_none());
    assert_eq!(
        fixture.reported(),
        [report("a/x", 0, RESTORED), report("a/x", 0, RESTORED)]
    );
}

#[test]
fn a_cassette_that_is_removed_is_there_at_the_end() {
    let fixture = fixture(2);
    fixture.write("x", sample(1), false);
    fs::remove_file(fixture.path("x")).unwrap();
    fixture.writer.close().unwrap();
    assert_eq!(fixture.count("x"), 1);
}

#[test]
fn stored_bodies_that_are_removed_are_counted() {
    let fixture = fixture(2);
    let mut large = sample(1);
    large.response.body = text(&"x".repeat(200));
    fixture.write("x", large, false);
    fixture.write("x", sample(2), false);
    fs::remove_dir_all(fixture.folder.root()).unwrap();
    fixture.write("x", sample(3), false);
    fixture.writer.close().unwrap();
    assert_eq!(fixture.count("x"), 3);
    assert_eq!(fixture.reported(), [report("x", 1, REMOVED)]);
}

#[test]
fn a_closed_cassette_that_is_removed_is_counted() {
    let fixture = fixture(1);
    for number in 1..=2 {
        fixture.write("x", sample(number), false);
    }
    fixture.write("y", sample(1), false);
    fs::remove_file(fixture.path("x")).unwrap();
    fixture.write("x", sample(3), false);
    assert_eq!(fixture.reported(), [report("x", 2, REMOVED)]);
    fs::remove_file(fixture.path("y")).unwrap();
    fixture.writer.close().unwrap();
    assert_eq!(fixture.reported()[1..], [report("y", 1, REMOVED)]);
    assert_eq!(fixture.count("x"), 1);
}

#[test]
fn a_cassette_may_be_taken_away_after_its_run() {
    let fixture = fixture(2);
    fixture.rotate("x");
    fixture.write("x", sample(1), true);
    fixture.writer.end_run("x").unwrap();
    fs::remove_file(fixture.path("x")).unwrap();
    fixture.writer.close().unwrap();
    assert!(!fixture.path("x").exists());
    assert_eq!(fixture.reported(), []);
}

#[test]
fn a_run_that_goes_on_after_a_release_is_marked_again() {
    let fixture = fixture(2);
    fixture.rotate("x");
    fixture.write("x", sample(1), true);
    assert!(fixture.folder.incomplete("x").is_some());
    fixture.release("x");
    assert!(fixture.folder.incomplete("x").is_none());
    fixture.write("x", sample(2), true);
    assert!(fixture.folder.incomplete("x").is_some());
    fixture.writer.close().unwrap();
    assert!(fixture.folder.incomplete("x").is_none());
    assert_eq!(fixture.count("x"), 2);
    assert_eq!(fixture.reported(), []);
}

#[test]
fn a_run_that_goes_on_without_its_cassette_is_counted() {
    let fixture = fixture(2);
    fixture.rotate("x");
    fixture.write("x", sample(1), true);
    fixture.release("x");
    fs::remove_file(fixture.path("x")).unwrap();
    fixture.write("x", sample(2), true);
    fixture.writer.close().unwrap();
    assert_eq!(fixture.reported(), [report("x", 1, REMOVED)]);
    assert!(fixture.folder.incomplete("x").is_some(), "it is not whole");
}

const CHANGED: &str = "lost by a change of another program after they were written";

#[test]
fn exchanges_that_a_change_of_the_cassette_lost_are_counted() {
    // Before the next exchange, and at the end.
    for (writes_again, left) in [(true, 2), (false, 1)] {
        let fixture = fixture(2);
        fixture.rotate("x");
        let path = fixture.path("x");
        fixture.write("x", sample(1), true);
        let shorter = fs::read(&path).unwrap();
        for number in 2..=3 {
            fixture.write("x", sample(number), true);
        }
        fs::write(&path, shorter).unwrap();
        if writes_again {
            fixture.write("x", sample(4), true);
        }
        fixture.writer.close().unwrap();
        assert_eq!(fixture.count("x"), left);
        assert_eq!(fixture.reported(), [report("x", 2, CHANGED)]);
        assert!(fixture.folder.incomplete("x").is_some());
    }
}

#[test]
fn an_edited_cassette_loses_nothing() {
    let fixture = fixture(2);
    fixture.write("x", sample(1), false);
    let path = fixture.path("x");
    let edited = format!("{}\n", fs::read_to_string(&path).unwrap());
    fs::remove_file(&path).unwrap();
    fs::write(&path, edited).unwrap();
    fixture.write("x", sample(2), false);
    fixture.writer.close().unwrap();
    assert_eq!(fixture.count("x"), 2);
    assert_eq!(fixture.reported(), []);
}
