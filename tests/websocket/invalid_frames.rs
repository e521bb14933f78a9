//! Frames that violate the protocol: recorded by their kind, or not recorded and counted with a
//! reason. A replay never hangs.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use ouli_config::Defect;

use super::UPGRADE;
use super::scripted_origin::{hears, origin, read_until, record, replay, says};
use crate::support::folder::{Folder, files};
use crate::support::gateway;
use crate::support::websocket::{
    BINARY, CLOSE, PING, Peer, TEXT, bare, close, close_body, frame, socket_origin,
};

/// A masked frame, which a server must not send.
fn masked() -> Vec<u8> {
    frame(TEXT, "x")
}

/// Invalid frames of a server.
fn server_kinds() -> Vec<(&'static str, Vec<u8>)> {
    let mut kinds = vec![
        ("a mask", masked()),
        ("a reserved opcode", bare(0x83, "x")),
        ("a reserved control opcode", bare(0x8b, "x")),
        ("RSV1 without an extension", bare(TEXT | 0x40, "x")),
        ("RSV2", bare(TEXT | 0x20, "x")),
        ("RSV3 on a ping", bare(PING | 0x10, "x")),
        ("a ping in fragments", bare(0x09, "x")),
        ("a ping of 126", bare(PING, [7; 126])),
        ("a continuation of nothing", bare(0x80, "x")),
        (
            "a message within another",
            [bare(0x01, "a"), bare(TEXT, "b")].concat(),
        ),
        ("a close of one byte", bare(CLOSE, [3])),
        (
            "a reason that is no UTF-8",
            bare(CLOSE, [&close_body(1000, "")[..], &[0xff]].concat()),
        ),
        (
            "a length with its first bit set",
            [&[BINARY, 127][..], &(1_u64 << 63).to_be_bytes()].concat(),
        ),
        (
            "a length of 16 bits for one byte",
            vec![BINARY, 126, 0, 1, 7],
        ),
        (
            "a message after the close",
            [bare(CLOSE, close_body(1000, "")), bare(TEXT, "late")].concat(),
        ),
    ];
    for kind in &mut kinds {
        // Each is preceded by a valid message.
        kind.1.splice(0..0, bare(TEXT, "before"));
    }
    kinds
}

#[test]
fn an_invalid_frame_of_a_server_is_not_recorded() {
    for (kind, bytes) in server_kinds() {
        let gateway = record(&says(bytes.clone()));
        assert_eq!(hears(&gateway, bytes.len()), Some(bytes), "{kind}");
        let folder = Arc::clone(&gateway.folder);
        let report = gateway.finish();
        assert_eq!((report.recorded, report.passed), (0, false), "{kind}");
        let reason = report
            .counted(Defect::Undecodable)
            .into_keys()
            .next()
            .unwrap();
        assert!(
            reason.contains("the server of a WebSocket"),
            "{kind}: {reason}"
        );
        assert!(folder.exchanges("default").is_empty(), "{kind}");
        // The replay is a miss and does not hang.
        let gateway = replay(&folder);
        assert_eq!(hears(&gateway, 1), None, "{kind}");
        assert_eq!(gateway.finish().misses, 1, "{kind}");
    }
}

#[test]
fn invalid_content_of_a_server_is_recorded_as_it_is() {
    let kinds = [
        ("no UTF-8", bare(TEXT, [0xce, 0xba, 0xff])),
        ("half a surrogate pair", bare(TEXT, [0xed, 0xa0, 0x80])),
        ("cut short", bare(TEXT, [0xe2, 0x82])),
        (
            "a code that is never sent",
            bare(CLOSE, close_body(1006, "")),
        ),
        (
            "a code that is reserved",
            bare(CLOSE, close_body(1004, "why")),
        ),
        ("a code out of range", bare(CLOSE, close_body(0, ""))),
        (
            "a code that is not registered",
            bare(CLOSE, close_body(2999, "")),
        ),
    ];
    for (kind, bytes) in kinds {
        let gateway = record(&says(bytes.clone()));
        assert_eq!(
            hears(&gateway, bytes.len()).as_ref(),
            Some(&bytes),
            "{kind}"
        );
        let folder = Arc::clone(&gateway.folder);
        let report = gateway.finish();
        assert_eq!((report.recorded, report.passed), (1, true), "{report:?}");
        let gateway = replay(&folder);
        assert_eq!(hears(&gateway, bytes.len()), Some(bytes), "{kind}");
        let report = gateway.finish();
        assert_eq!((report.hits, report.passed), (1, true), "{report:?}");
    }
}

#[test]
fn a_reason_that_no_frame_can_hold_after_redaction_is_not_recorded() {
    for (padding, recorded) in [(100, 1), (118, 0)] {
        let reason = format!("tok-1{}", "x".repeat(padding));
        let bytes = bare(CLOSE, close_body(4000, &reason));
        let gateway = gateway::over(&Arc::new(Folder::new()), "record")
            .upstream(&says(bytes.clone()))
            .section("[redactor]\npatterns = { mine = \"tok-[0-9a-f]\" }")
            .start();
        assert_eq!(hears(&gateway, bytes.len()), Some(bytes));
        let report = gateway.finish();
        assert_eq!(report.recorded, recorded, "{report:?}");
        let reasons = report.counted(Defect::Undecodable);
        let is_told = reasons.keys().any(|it| it.contains("longer than a frame"));
        assert_eq!(is_told, recorded == 0, "{report:?}");
    }
}

#[test]
fn a_secret_in_invalid_text_is_not_written() {
    // The text is redacted. The JSON cannot be parsed, so its members are unknown and it is not
    // recorded.
    for (start, recorded) in [
        ("session=tok-9f8e7d6c5b4a; ", 1),
        ("{\"n\": \"tok-9f8e7d6c5b4a", 0),
    ] {
        let bytes = bare(TEXT, [start.as_bytes(), &[0xff]].concat());
        let gateway = gateway::over(&Arc::new(Folder::new()), "record")
            .upstream(&says(bytes.clone()))
            .section("[redactor]\npatterns = { mine = \"tok-[0-9a-f]+\" }")
            .start();
        assert_eq!(hears(&gateway, bytes.len()), Some(bytes));
        let folder = Arc::clone(&gateway.folder);
        let report = gateway.finish();
        assert_eq!((report.recorded, report.passed), (recorded, recorded == 1));
        for (path, bytes) in files(&folder.cassettes()) {
            let found = bytes.windows(8).any(|part| part == b"9f8e7d6c");
            assert!(!found, "{}", path.display());
        }
    }
}

/// Invalid frames of a client.
fn client_kinds() -> Vec<(&'static str, Vec<u8>, u16)> {
    vec![
        ("no mask", bare(TEXT, "x"), 1002),
        ("a reserved opcode", frame(0x83, "x"), 1002),
        ("RSV1", frame(TEXT | 0x40, "x"), 1002),
        ("a pong in fragments", frame(0x0a, "x"), 1002),
        ("a close of 126", frame(CLOSE, [3; 126]), 1002),
        ("a continuation of nothing", frame(0x80, "x"), 1002),
        (
            "a message within another",
            [frame(0x01, "a"), frame(TEXT, "b")].concat(),
            1002,
        ),
        ("a code that may not be sent", close(1005, ""), 1002),
        ("no UTF-8", frame(TEXT, [0xff]), 1007),
        ("no UTF-8 in half a message", frame(0x01, [0xff]), 1007),
    ]
}

#[test]
fn an_invalid_frame_of_a_client_is_answered_when_it_is_sent_again() {
    for (kind, bytes, code) in client_kinds() {
        let origin = socket_origin();
        let gateway = record(&origin.url());
        let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
        assert_eq!(peer.asks(frame(TEXT, "a")).text(), "a");
        assert_eq!(peer.asks(&bytes).code(), Some(code), "{kind}");
        assert_eq!(peer.next(), None, "{kind}");
        let folder = Arc::clone(&gateway.folder);
        let report = gateway.finish();
        assert_eq!((report.recorded, report.passed), (1, true), "{report:?}");

        let gateway = replay(&folder);
        let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
        assert_eq!(peer.asks(frame(TEXT, "a")).text(), "a");
        assert!(peer.is_silent_for(Duration::from_millis(20)), "{kind}");
        assert_eq!(peer.asks(&bytes).code(), Some(code), "{kind}");
        assert_eq!(peer.next(), None, "{kind}");
        let report = gateway.finish();
        assert_eq!((report.hits, report.passed), (1, true), "{report:?}");
    }
}

#[test]
fn a_violation_that_was_not_recorded_is_a_miss() {
    let origin = socket_origin();
    let gateway = record(&origin.url());
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/closes");
    assert_eq!(peer.asks(frame(TEXT, "x")).code(), Some(4001));
    peer.send(close(4001, ""));
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    assert_eq!(peer.asks(frame(0x83, "x")).code(), Some(1002));
    let folder = Arc::clone(&gateway.folder);
    drop(peer);
    assert_eq!(gateway.finish().recorded, 2);

    let gateway = replay(&folder);
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/closes");
    let answer = peer.asks(frame(0x83, "x"));
    assert_eq!(answer.code(), Some(1002));
    assert!(
        answer.text().contains("reserved opcode"),
        "{}",
        answer.text()
    );
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    assert_eq!(peer.asks(bare(TEXT, "x")).code(), Some(1002));
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    assert_eq!(peer.asks(frame(TEXT, "x")).code(), Some(1008));
    drop(peer);
    let report = gateway.finish();
    assert_eq!((report.misses, report.passed), (3, false), "{report:?}");
}

#[test]
fn a_server_that_accepts_an_invalid_frame_is_not_recorded() {
    // The server continues, and client messages after the invalid frame cannot be decoded.
    let url = origin(Arc::new(|stream| {
        read_until(stream, b"one");
        stream.write_all(&bare(TEXT, "1")).unwrap();
        read_until(stream, &frame(TEXT, "two"));
        stream.write_all(&bare(TEXT, "2")).unwrap();
        stream
            .write_all(&bare(CLOSE, close_body(1000, "")))
            .unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }));
    let gateway = record(&url);
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/x");
    assert_eq!(peer.asks(bare(TEXT, "one")).text(), "1");
    assert_eq!(peer.asks(frame(TEXT, "two")).text(), "2");
    assert_eq!(peer.next().unwrap().code(), Some(1000));
    peer.send(close(1000, ""));
    drop(peer);
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert_eq!((report.recorded, report.passed), (0, false), "{report:?}");
    let reason = report
        .counted(Defect::Undecodable)
        .into_keys()
        .next()
        .unwrap();
    assert!(reason.contains("has no mask"), "{reason}");
    assert!(folder.exchanges("default").is_empty());
}

#[test]
fn a_server_that_ignores_an_invalid_frame_stays_silent_at_replay() {
    let url = origin(Arc::new(|stream| {
        read_until(stream, b"one");
        let _ = stream.read_to_end(&mut Vec::new());
    }));
    let gateway = record(&url);
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/x");
    peer.send(bare(TEXT, "one"));
    assert!(peer.is_silent_for(Duration::from_millis(20)));
    drop(peer);
    let folder = Arc::clone(&gateway.folder);
    assert_eq!(gateway.finish().recorded, 1);
    let gateway = replay(&folder);
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/x");
    peer.send(bare(TEXT, "one"));
    assert!(peer.is_silent_for(Duration::from_millis(50)));
    drop(peer);
    let report = gateway.finish();
    assert_eq!((report.hits, report.passed), (1, true), "{report:?}");
}
