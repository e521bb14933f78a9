//! Cassettes on disk: names, links, permissions, stored bodies.

use std::fs;

use tempfile::{TempDir, tempdir};

use super::{CassetteDir, CassetteError, ChangePolicy};
use crate::test_exchanges::{cassette, sample};
use crate::{HEADER, body_digest};

fn folder() -> (TempDir, CassetteDir) {
    let home = tempdir().unwrap();
    let folder = CassetteDir::open(&home.path().join("cassettes"), 1 << 20).unwrap();
    (home, folder)
}

#[test]
fn a_session_without_a_cassette_loads_as_none() {
    let (_home, folder) = folder();
    assert!(folder.load("none", ChangePolicy::Mark).unwrap().is_none());
    assert!(
        folder
            .load("no/where", ChangePolicy::Mark)
            .unwrap()
            .is_none()
    );
    let error = folder.load("x\n", ChangePolicy::Mark).unwrap_err();
    assert!(matches!(error, CassetteError::Name(_)));
    // It is a file in the folder, as every name is.
    assert!(folder.load("../x", ChangePolicy::Mark).unwrap().is_none());
    let path = folder.session_path("../x").unwrap();
    assert_eq!(path, folder.root().join("%2e%2e/x.jsons"));
    assert_eq!(folder.list().unwrap(), []);
}

#[cfg(unix)]
#[test]
fn files_and_folders_are_accessible_only_to_their_owner() {
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
fn links_are_read_and_never_written() {
    use std::os::unix::fs::symlink;
    let (home, folder) = folder();
    let outside = home.path().join("outside.jsons");
    fs::write(&outside, cassette(&[sample(1)])).unwrap();
    let root = folder.root();
    // As Kubernetes mounts a ConfigMap.
    fs::create_dir(root.join("..2026")).unwrap();
    fs::write(root.join("..2026/mounted.jsons"), cassette(&[sample(1)])).unwrap();
    symlink("..2026", root.join("..data")).unwrap();
    symlink("..data/mounted.jsons", root.join("mounted.jsons")).unwrap();
    symlink(&outside, root.join("link.jsons")).unwrap();
    symlink(home.path(), root.join("up")).unwrap();
    for session in ["mounted", "link", "up/outside"] {
        let loaded = folder.load(session, ChangePolicy::Refuse).unwrap();
        assert_eq!(loaded.unwrap().exchanges.len(), 1, "{session}");
        let error = folder.rotate(session).unwrap_err();
        let text = ouli_message::error_chain::error_chain(&error);
        assert!(
            text.contains("a symbolic link") && text.contains("--session NAME"),
            "{text}"
        );
    }
    assert_eq!(fs::read(&outside).unwrap(), cassette(&[sample(1)]));
    let listed = folder.list().unwrap();
    let listed: Vec<_> = listed.iter().map(|it| it.session.as_str()).collect();
    assert_eq!(listed, ["link", "mounted", "up/outside"]);
}

#[cfg(unix)]
#[test]
fn dangling_links_and_devices_are_rejected() {
    use std::os::unix::fs::symlink;
    let (home, folder) = folder();
    let root = folder.root();
    symlink(home.path(), root.join("up")).unwrap();
    symlink(home.path().join("gone"), root.join("dangling.jsons")).unwrap();
    symlink("/dev/null", root.join("device.jsons")).unwrap();
    fs::create_dir(root.join("dir.jsons")).unwrap();
    let fifo = std::process::Command::new("mkfifo")
        .arg(root.join("fifo.jsons"))
        .status();
    assert!(fifo.unwrap().success());
    for session in ["up/new", "dangling", "device", "dir", "fifo"] {
        if session != "up/new" {
            assert!(
                folder.load(session, ChangePolicy::Mark).is_err(),
                "{session}"
            );
        }
        assert!(folder.rotate(session).is_err(), "{session}");
    }
    assert!(!home.path().join("new.jsons").exists());
    assert!(!home.path().join("gone").exists());
    let listed = folder.list().unwrap().into_iter();
    let listed: Vec<_> = listed.map(|it| it.session.as_str().to_owned()).collect();
    assert_eq!(listed, ["dangling", "device", "dir", "fifo"]);
}

#[test]
fn the_refuse_policy_rejects_every_change() {
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
    for (text, reason) in cases {
        fs::write(&path, text).unwrap();
        assert!(folder.load("x", ChangePolicy::Mark).unwrap().is_some());
        let refused = folder
            .load("x", ChangePolicy::Refuse)
            .err()
            .map(|it| it.to_string());
        assert_eq!(refused.is_some(), reason.is_some(), "{refused:?}");
        let refused = refused.unwrap_or_default();
        assert!(refused.contains(reason.unwrap_or_default()), "{refused}");
    }
}

#[test]
fn a_file_over_the_limit_is_not_loaded() {
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
fn a_stored_body_is_checked_against_its_digest() {
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
fn sessions_are_listed_in_order() {
    let (_home, folder) = folder();
    let id = "test_a.py::test_b[1]";
    for session in ["b", "a/c", "a", "z.1", id, "\u{e9}/../x"] {
        folder.rotate(session).unwrap();
    }
    fs::create_dir(folder.root().join("b.bodies")).unwrap();
    fs::write(folder.root().join("b.bodies/file"), "12345").unwrap();
    for other in [
        "notes.txt",
        "a.jsons.torn",
        ".hidden.jsons",
        "b.bodies/x.jsons",
        "not%escaped.jsons",
    ] {
        fs::write(folder.root().join(other), "1").unwrap();
    }
    let listed = folder.list().unwrap();
    let names: Vec<_> = listed.iter().map(|it| it.session.as_str()).collect();
    assert_eq!(names, ["a", "a/c", "b", id, "z.1", "\u{e9}/../x"]);
    assert!(listed.iter().all(|it| it.bytes == HEADER.len() as u64));
    assert_eq!(listed[2].stored_bytes, 6);
}

#[test]
fn a_cassette_of_an_earlier_version_stays_where_it_is() {
    let (_home, folder) = folder();
    let path = |name: &str| folder.root().join(name);
    fs::write(path("TestAdd.jsons"), cassette(&[sample(1)])).unwrap();
    fs::create_dir(path("x.jsons")).unwrap();
    fs::write(path("x.jsons/y.jsons"), cassette(&[sample(1)])).unwrap();
    for (session, cassette) in [
        ("TestAdd", "TestAdd.jsons"),
        ("x.jsons/y", "x.jsons/y.jsons"),
    ] {
        assert_eq!(folder.session_path(session).unwrap(), path(cassette));
        assert!(
            folder
                .load(session, ChangePolicy::Refuse)
                .unwrap()
                .is_some()
        );
        // A new recording keeps the old one beside it.
        folder.rotate(session).unwrap();
        assert_eq!(folder.session_path(session).unwrap(), path(cassette));
        assert!(path(&format!("{cassette}.previous")).exists());
    }
    let listed = folder.list().unwrap();
    let names: Vec<_> = listed.iter().map(|it| it.session.as_str()).collect();
    assert_eq!(names, ["TestAdd", "x.jsons/y"]);
    // The new path counts where both exist.
    fs::write(path("+Test+Add.jsons"), cassette(&[sample(1)])).unwrap();
    assert_eq!(
        folder.session_path("TestAdd").unwrap(),
        path("+Test+Add.jsons")
    );
    assert_eq!(folder.list().unwrap().len(), 2);
}

#[test]
fn no_session_blocks_another_one() {
    let (_home, folder) = folder();
    let names = [
        "x",
        "x/y",
        "X",
        "x.jsons/y",
        "x.jsons",
        "x.jsons/y.jsons",
        "x.bodies/y",
        "x.jsons.recording/y",
        "x.jsons.previous/y",
        "x.jsons.incomplete/y",
        "x.jsons.torn/y",
        "x.JSONS/y",
        "x.jsons.recording",
        "default.jsons/a",
        "default",
    ];
    for order in [names.to_vec(), names.into_iter().rev().collect()] {
        for name in &order {
            folder.rotate(name).unwrap();
            let path = folder.session_path(name).unwrap();
            fs::write(&path, cassette(&[sample(1)])).unwrap();
            // Every file of the session exists once.
            folder.rotate(name).unwrap();
            fs::write(path, cassette(&[sample(1)])).unwrap();
        }
        let listed = folder.list().unwrap();
        assert_eq!(listed.len(), names.len());
        for entry in fs::read_dir(folder.root()).unwrap() {
            let path = entry.unwrap().path();
            let removed = fs::remove_file(&path);
            removed.or_else(|_| fs::remove_dir_all(&path)).unwrap();
        }
    }
}
