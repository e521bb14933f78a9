//! Appending, repair and rotation on real files, and on a disk that fails.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use tempfile::{TempDir, tempdir};

use crate::store::{CassetteDir, CassetteError, SessionName};
use crate::test_exchanges::{cassette, sample};
use crate::writer::appender::Appender;
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
