//! Cassettes on the disk: names, links, locks, torn ends.

use std::fs;
use std::path::Path;

use tempfile::{TempDir, tempdir};

use super::{cassette, sample};
use crate::encode;
use crate::format::digest::body_digest;
use crate::format::encode::HEADER;
use crate::store::error::CassetteError;
use crate::store::folder::{CassetteDir, ChangePolicy};
use crate::store::session_name::SessionName;
use crate::writer::appender::Appender;
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
fn a_session_without_a_cassette_is_none() {
    let (_home, folder) = folder();
    assert!(folder.load("none", ChangePolicy::Mark).unwrap().is_none());
    assert!(
        folder
            .load("no/where", ChangePolicy::Mark)
            .unwrap()
            .is_none()
    );
    let error = folder.load("../x", ChangePolicy::Mark).unwrap_err();
    assert!(matches!(error, CassetteError::Name(_)));
    assert_eq!(folder.list().unwrap(), []);
}

#[cfg(unix)]
#[test]
fn files_and_folders_are_for_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let (_home, folder) = folder();
    folder.rotate("a/b").unwrap();
    for (path, mode) in [("", 0o700), ("a", 0o700), ("a/b.jsons", 0o600)] {
        let meta = folder.root().join(path).metadata().unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, mode, "{path}");
    }
}

#[cfg(unix)]
#[test]
fn links_and_devices_are_refused() {
    use std::os::unix::fs::symlink;
    let (home, folder) = folder();
    let outside = home.path().join("outside.jsons");
    fs::write(&outside, cassette(&[sample(1)])).unwrap();
    let root = folder.root();
    symlink(&outside, root.join("link.jsons")).unwrap();
    symlink(home.path(), root.join("up")).unwrap();
    symlink(home.path().join("gone"), root.join("dangling.jsons")).unwrap();
    fs::create_dir(root.join("dir.jsons")).unwrap();
    let fifo = std::process::Command::new("mkfifo")
        .arg(root.join("fifo.jsons"))
        .status();
    assert!(fifo.unwrap().success());
    for session in ["link", "up/outside", "up/new", "dangling", "dir", "fifo"] {
        if session != "up/new" {
            assert!(
                folder.load(session, ChangePolicy::Mark).is_err(),
                "{session}"
            );
        }
        assert!(folder.rotate(session).is_err(), "{session}");
    }
    assert_eq!(fs::read(&outside).unwrap(), cassette(&[sample(1)]));
    assert!(!home.path().join("new.jsons").exists());
    assert!(!home.path().join("gone").exists());
    assert_eq!(folder.list().unwrap(), []);
}

#[test]
fn strict_refuses_every_change() {
    let (_home, folder) = folder();
    let good = String::from_utf8(cassette(&[sample(1), sample(2)])).unwrap();
    let path = folder.session_path("x").unwrap();
    let cases = [
        (good.clone(), None),
        (
            good.replace("/items/2", "/items/3"),
            Some("exchange 2 was edited"),
        ),
        (
            good.replacen("\"status\"", "\"state\"", 1),
            Some("unknown field `state`"),
        ),
        (good[..good.len() - 9].to_owned(), Some("EOF while parsing")),
    ];
    for (text, what) in cases {
        fs::write(&path, text).unwrap();
        assert!(folder.load("x", ChangePolicy::Mark).unwrap().is_some());
        let refused = folder
            .load("x", ChangePolicy::Refuse)
            .err()
            .map(|it| it.to_string());
        assert_eq!(refused.is_some(), what.is_some(), "{refused:?}");
        let refused = refused.unwrap_or_default();
        assert!(refused.contains(what.unwrap_or_default()), "{refused}");
    }
}

#[test]
fn a_large_file_is_not_loaded() {
    let (_home, folder) = folder();
    fs::write(folder.session_path("x").unwrap(), vec![b' '; (1 << 20) + 1]).unwrap();
    let error = folder.load("x", ChangePolicy::Mark).unwrap_err();
    assert!(matches!(
        error,
        CassetteError::TooLarge {
            size: 1_048_577,
            ..
        }
    ));
}

#[test]
fn a_torn_tail_is_saved_before_appending() {
    let (_home, folder) = folder();
    let path = folder.session_path("x").unwrap();
    let whole = cassette(&[sample(1), sample(2)]);
    let one = cassette(&[sample(1)]).len();
    let mut lost = Vec::new();
    for end in 0..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
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
        let clean = end == 0 || end == start || end + 1 == start || end + 1 == whole.len();
        if !clean {
            lost.extend_from_slice(&whole[start..end]);
        }
    }
    let torn = fs::read(path.with_extension("jsons.torn")).unwrap();
    assert_eq!(torn, lost);
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
                "nothing replaces something"
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
    let whole = cassette(&[exchange]);
    fs::write(&path, &whole[..whole.len() - 4]).unwrap();
    folder.rotate("x").unwrap();
    assert!(exists(&bodies, &stale), "a torn cassette may name it");
    fs::write(&path, &whole).unwrap();
    folder.rotate("x").unwrap();
    assert!(exists(&bodies, &kept) && exists(&bodies, "README"));
    assert!(!exists(&bodies, &stale));
}

#[test]
fn a_stored_body_is_checked() {
    let (_home, folder) = folder();
    let bodies = folder.root().join("x.bodies");
    fs::create_dir(&bodies).unwrap();
    let digest = body_digest(b"body");
    fs::write(bodies.join(&digest), "body").unwrap();
    assert_eq!(folder.read_body("x", &digest).unwrap(), "body");
    assert_eq!(folder.open_body("x", &digest).unwrap().1, 4);
    fs::write(bodies.join(&digest), "bodX").unwrap();
    let error = folder.read_body("x", &digest).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    for (session, digest) in [
        ("x", "../x.jsons"),
        ("x", ""),
        ("../x", &*digest),
        ("y", &*digest),
    ] {
        assert!(
            folder.read_body(session, digest).is_err(),
            "{session} {digest}"
        );
    }
}

#[test]
fn a_cassette_has_one_writer() {
    let (_home, folder) = folder();
    let first = Appender::open(&folder, &name("x")).unwrap();
    let error = folder.rotate("x").unwrap_err();
    assert!(matches!(&error, CassetteError::Locked { .. }));
    let text = error.to_string();
    assert!(
        text.contains("x.jsons") && text.contains("stop that one"),
        "{text}"
    );
    assert!(Appender::open(&folder, &name("x")).is_err());
    assert!(Appender::open(&folder, &name("y")).is_ok());
    drop(first);
    assert!(folder.rotate("x").is_ok());
}

#[test]
fn sessions_are_listed_by_name() {
    let (_home, folder) = folder();
    for session in ["b", "a/c", "a", "z.1"] {
        folder.rotate(session).unwrap();
    }
    fs::create_dir(folder.root().join("b.bodies")).unwrap();
    fs::write(folder.root().join("b.bodies/file"), "12345").unwrap();
    for other in [
        "notes.txt",
        "a.jsons.torn",
        ".hidden.jsons",
        "b.bodies/x.jsons",
    ] {
        fs::write(folder.root().join(other), "1").unwrap();
    }
    let listed = folder.list().unwrap();
    let names: Vec<_> = listed.iter().map(|it| it.session.as_str()).collect();
    assert_eq!(names, ["a", "a/c", "b", "z.1"]);
    assert!(listed.iter().all(|it| it.bytes == HEADER.len() as u64));
    assert_eq!(listed[2].stored_bytes, 6);
}

fn exists(folder: &Path, file: &str) -> bool {
    folder.join(file).exists()
}
