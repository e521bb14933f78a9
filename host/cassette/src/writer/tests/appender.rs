//! Appending, repair and rotation on real files, and on a disk that fails.

use std::fs;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;

use tempfile::{TempDir, tempdir};

use super::{OPTIONS, WordCheck, request};
use crate::store::{CassetteDir, CassetteError, SessionName};
use crate::test_exchanges::{cassette, sample, text};
use crate::writer::appender::Appender;
use crate::writer::batch_writer::{BatchWriter, Unordered};
use crate::writer::fake_disk::FakeDisk;
use crate::{HEADER, body_digest, encode};
use ouli_message::Content;

fn folder() -> (TempDir, CassetteDir) {
    let home = tempdir().unwrap();
    let folder = CassetteDir::open(&home.path().join("cassettes"), 1 << 20).unwrap();
    (home, folder)
}

fn name(text: &str) -> SessionName {
    SessionName::parse(text).unwrap()
}

#[test]
fn a_torn_tail_is_saved_before_appending() {
    let (_home, folder) = folder();
    let path = folder.session_path("x").unwrap();
    let bytes = cassette(&[sample(1), sample(2)]);
    let one = cassette(&[sample(1)]).len();
    let mut expected_torn = Vec::new();
    for end in 0..bytes.len() {
        fs::write(&path, &bytes[..end]).unwrap();
        let mut appender = Appender::open(&folder, &name("x")).unwrap();
        let next = appender.next_ordinal();
        let mut text = Vec::new();
        encode(&mut text, next, &sample(next), "x.bodies");
        appender.append(&text, 1, false).unwrap();
        drop(appender);
        let kept = (next - 1) as usize;
        assert_eq!(
            fs::read(&path).unwrap(),
            cassette(&[sample(1), sample(2), sample(3)][..=kept])
        );
        let starts = [0, HEADER.len(), one];
        let start = starts
            .into_iter()
            .filter(|at| *at <= end + 1)
            .max()
            .unwrap();
        let clean = end == 0 || end == start || end + 1 == start || end + 1 == bytes.len();
        if !clean {
            expected_torn.extend_from_slice(&bytes[start..end]);
        }
    }
    let torn = fs::read(path.with_extension("jsons.torn")).unwrap();
    assert_eq!(torn, expected_torn);
}

/// The cassette is larger than memory and disk: nothing but its start and its end are there.
#[test]
fn a_large_cassette_is_extended_without_being_read() {
    let home = tempdir().unwrap();
    let folder = CassetteDir::open(home.path(), u64::MAX).unwrap();
    let path = folder.session_path("x").unwrap();
    let last = cassette(&[sample(1), sample(2)]).split_off(cassette(&[sample(1)]).len());
    let end = 1 << 40;
    let mut file = fs::File::create_new(&path).unwrap();
    file.write_all(HEADER.as_bytes()).unwrap();
    file.seek(SeekFrom::Start(end)).unwrap();
    file.write_all(b"\n").unwrap();
    file.write_all(&last).unwrap();
    let mut appender = Appender::open(&folder, &name("x")).unwrap();
    assert_eq!(appender.next_ordinal(), 3);
    let mut text = Vec::new();
    encode(&mut text, 3, &sample(3), "x.bodies");
    appender.append(&text, 1, false).unwrap();
    drop(appender);
    let mut written = String::new();
    let mut file = fs::File::open(&path).unwrap();
    file.seek(SeekFrom::Start(end + 1)).unwrap();
    file.read_to_string(&mut written).unwrap();
    let both = [last, text].concat();
    assert_eq!(written.as_bytes(), both);
}

#[test]
fn a_cassette_has_one_writer() {
    let (_home, folder) = folder();
    let first = Appender::open(&folder, &name("x")).unwrap();
    let error = folder.rotate("x").unwrap_err();
    assert!(matches!(&error, CassetteError::Locked { .. }));
    let text = error.to_string();
    assert!(
        text.contains("x.jsons") && text.contains("stop that gateway"),
        "{text}"
    );
    assert!(Appender::open(&folder, &name("x")).is_err());
    assert!(Appender::open(&folder, &name("y")).is_ok());
    drop(first);
    assert!(folder.rotate("x").is_ok());
}

#[test]
fn rotation_keeps_the_previous_cassette() {
    let (_home, folder) = folder();
    let path = folder.session_path("x").unwrap();
    let previous = path.with_extension("jsons.previous");
    for round in 1..=3 {
        folder.rotate("x").unwrap();
        assert_eq!(fs::read(&path).unwrap(), HEADER.as_bytes());
        folder.rotate("x").unwrap();
        if round > 1 {
            let before = cassette(&[sample(round - 1)]);
            assert_eq!(
                fs::read(&previous).unwrap(),
                before,
                "an empty cassette does not replace a recorded one"
            );
        }
        fs::write(&path, cassette(&[sample(round)])).unwrap();
    }
}

/// A writer, as one process has it, that records these samples.
fn record(folder: &CassetteDir, samples: &[u64], can_write: bool) -> BatchWriter {
    let mut writer = BatchWriter::new(
        folder.clone(),
        OPTIONS,
        Box::new(|_, _, _| {}),
        Unordered::default(),
    );
    writer.rotate("x").unwrap();
    for number in samples {
        let check = Arc::new(WordCheck::default());
        writer.add(request("x", sample(*number), check).0);
    }
    if !can_write {
        let mut refused = sample(99);
        refused.response.body = text("a secret");
        writer.add(request("x", refused, Arc::new(WordCheck::default())).0);
    }
    writer.commit();
    writer
}

#[test]
fn a_recording_that_broke_off_never_replaces_a_complete_one() {
    let (_home, folder) = folder();
    let path = folder.session_path("x").unwrap();
    let read = |suffix: &str| fs::read(path.with_extension(suffix)).unwrap_or_default();
    let complete = |samples: &[u64]| record(&folder, samples, true).finish().unwrap();
    complete(&[1, 2]);
    let first = cassette(&[sample(1), sample(2)]);
    assert_eq!(read("jsons"), first);
    // A killed process finishes nothing.
    drop(record(&folder, &[3], true));
    assert_eq!(
        (read("jsons"), read("jsons.previous")),
        (cassette(&[sample(3)]), first.clone())
    );
    for round in 4..7 {
        drop(record(&folder, &[round], true));
        assert_eq!(read("jsons.previous"), first, "round {round}");
        assert_eq!(read("jsons.incomplete"), cassette(&[sample(round - 1)]));
    }
    // One that could not write everything is not complete either.
    record(&folder, &[7], false).finish().unwrap();
    complete(&[8]);
    assert_eq!(read("jsons.previous"), first);
    complete(&[9]);
    assert_eq!(read("jsons.previous"), cassette(&[sample(8)]));
    // Nor is one that was damaged afterwards.
    let text = String::from_utf8(cassette(&[sample(9), sample(10)])).unwrap();
    fs::write(&path, text.replacen("\"status\"", "\"state\"", 1)).unwrap();
    complete(&[11]);
    assert_eq!(read("jsons.previous"), cassette(&[sample(8)]));
    assert!(!path.with_extension("jsons.recording").exists());
}

#[test]
fn a_stale_marker_does_not_count_for_an_appended_cassette() {
    let (_home, folder) = folder();
    let path = folder.session_path("x").unwrap();
    drop(record(&folder, &[], true));
    assert!(path.with_extension("jsons.recording").exists());
    let mut appender = Appender::open(&folder, &name("x")).unwrap();
    let bytes = cassette(&[sample(1)]);
    appender.append(&bytes[HEADER.len()..], 1, false).unwrap();
    drop(appender);
    folder.rotate("x").unwrap();
    assert_eq!(
        fs::read(path.with_extension("jsons.previous")).unwrap(),
        bytes
    );
}

#[test]
fn a_cassette_that_was_replaced_is_opened_again() {
    let (_home, folder) = folder();
    let path = folder.session_path("x").unwrap();
    let mut writer = record(&folder, &[1], true);
    let edits: [fn(&Path, &[u8]); 2] = [
        |path, bytes| {
            fs::write(path.with_extension("new"), bytes).unwrap();
            fs::rename(path.with_extension("new"), path).unwrap();
        },
        |path, bytes| fs::write(path, bytes).unwrap(),
    ];
    for (number, edit) in (3..).zip(edits) {
        let mut all: Vec<_> = (1..number).map(sample).collect();
        edit(&path, &cassette(&all));
        all.push(sample(number));
        let (request, outcome) = request("x", sample(number), Arc::new(WordCheck::default()));
        writer.add(request);
        writer.commit();
        assert_eq!(outcome.recv().unwrap().unwrap().place.number, number);
        assert_eq!(fs::read(&path).unwrap(), cassette(&all));
        drop(outcome);
    }
}

#[test]
fn only_unreferenced_stored_bodies_are_removed() {
    let (_home, folder) = folder();
    let path = folder.session_path("x").unwrap();
    let bodies = path.with_file_name("x.bodies");
    fs::create_dir(&bodies).unwrap();
    let (kept, stale) = (body_digest(b"kept"), body_digest(b"stale"));
    fs::write(bodies.join(&kept), "kept").unwrap();
    fs::write(bodies.join(&stale), "stale").unwrap();
    fs::write(bodies.join("README"), "a file of someone else").unwrap();
    let mut exchange = sample(1);
    exchange.response.body = Content::Stored {
        digest: kept.clone(),
        size: 4,
    };
    let bytes = cassette(&[exchange]);
    fs::write(&path, &bytes[..bytes.len() - 4]).unwrap();
    folder.rotate("x").unwrap();
    assert!(exists(&bodies, &stale), "a torn cassette may refer to it");
    fs::write(&path, &bytes).unwrap();
    folder.rotate("x").unwrap();
    assert!(exists(&bodies, &kept) && exists(&bodies, "README"));
    assert!(!exists(&bodies, &stale));
}

#[test]
fn a_full_disk_leaves_complete_exchanges_only() {
    let (one, two) = (cassette(&[sample(1)]), cassette(&[sample(1), sample(2)]));
    for capacity in one.len()..two.len() {
        let disk = FakeDisk::new(capacity);
        let mut appender = disk.appender();
        appender.append(&one[HEADER.len()..], 1, true).unwrap();
        let error = appender.append(&two[one.len()..], 1, true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert_eq!(disk.bytes(), one);
        assert!(!appender.needs_reopen());
        disk.change(|state| state.capacity = usize::MAX);
        appender.append(&two[one.len()..], 1, true).unwrap();
        assert_eq!(disk.bytes(), two);
        assert_eq!(appender.next_ordinal(), 3);
    }
}

#[test]
fn a_write_that_cannot_be_synced_is_removed() {
    let one = cassette(&[sample(1)]);
    let disk = FakeDisk::new(usize::MAX);
    disk.change(|state| state.can_sync = false);
    let mut appender = disk.appender();
    assert!(appender.append(&one[HEADER.len()..], 1, true).is_err());
    assert_eq!(disk.bytes(), HEADER.as_bytes());
    assert_eq!(appender.next_ordinal(), 1);
    assert!(
        appender.needs_reopen(),
        "a later sync could succeed without the data"
    );
}

fn exists(folder: &Path, file: &str) -> bool {
    folder.join(file).exists()
}
