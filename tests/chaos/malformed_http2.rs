//! Malformed HTTP/2 responses (RFC 9113, section 8.1.1): the client gets 502, never the response.

use std::net::SocketAddr;
use std::sync::Arc;

use super::http2_origin::scripted;
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin::{Peer, peer};

const PREFACE_LEN: usize = 24;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `:status: 200` (RFC 7541, appendix A).
const STATUS: u8 = 0x88;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A literal field without indexing (RFC 7541, section 6.2.2).
fn field(name: &str, value: &str) -> Vec<u8> {
    let string = |text: &str| [&[text.len() as u8][..], text.as_bytes()].concat();
    [vec![0], string(name), string(value)].concat()
}

/// An origin that responds to the first request of each connection with these frames.
fn origin(frames: Vec<u8>) -> SocketAddr {
    peer(move |peer: &mut Peer| {
        peer.bytes(PREFACE_LEN);
        peer.send(frame(SETTINGS, 0, 0, &[]));
        loop {
            let header = peer.bytes(9);
            let [a, b, c, kind, flags, ..] = header[..] else {
                return;
            };
            peer.bytes(u32::from_be_bytes([0, a, b, c]) as usize);
            match (kind, flags & 1) {
                (SETTINGS, 0) => peer.send(frame(SETTINGS, 1, 0, &[])),
                (HEADERS, _) => peer.send(&frames),
                _ => {}
            }
        }
    })
}

fn head(flags: u8, fields: &[Vec<u8>]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | flags, 1, &fields.concat())
}

#[test]
fn a_malformed_response_is_a_502_and_recorded_as_malformed() {
    let status = || vec![STATUS];
    let heads = [
        ("an upper-case name", vec![status(), field("X-A", "1")]),
        (
            "a field of the connection",
            vec![status(), field("connection", "close")],
        ),
        ("keep-alive", vec![status(), field("keep-alive", "1")]),
        (
            "a transfer coding",
            vec![status(), field("transfer-encoding", "chunked")],
        ),
        ("no status", vec![field("x-a", "1")]),
        ("two statuses", vec![status(), status()]),
        ("a status after a field", vec![field("x-a", "1"), status()]),
        (
            "an unknown pseudo-field",
            vec![status(), field(":own", "1")],
        ),
        ("no number as status", vec![field(":status", "2x0")]),
        (
            "a line end in a value",
            vec![status(), field("x-a", "1\r\nx-b: 2")],
        ),
        ("a name with a space", vec![status(), field("x a", "1")]),
        ("a space before a value", vec![status(), field("x-a", " 1")]),
        ("a tab after a value", vec![status(), field("x-a", "1\t")]),
        (
            "no number as length",
            vec![status(), field("content-length", "+1")],
        ),
        (
            "two lengths",
            vec![
                status(),
                field("content-length", "1"),
                field("content-length", "2"),
            ],
        ),
        ("an indexed path", vec![status(), vec![0x84]]),
        ("a path", vec![status(), field(":path", "/")]),
        (
            "a path before the status",
            vec![field(":path", "/"), status()],
        ),
        (
            "a path that enters the table",
            vec![status(), vec![0x44, 2, b'/', b'a']],
        ),
        (
            "a body that is not there",
            vec![status(), field("content-length", "3")],
        ),
    ];
    for (name, fields) in heads {
        let upstream = origin(head(END_STREAM, &fields));
        let folder = Arc::new(Folder::new());
        let gateway = gateway::over(&folder, "record")
            .upstream(&format!("h2c://{upstream}"))
            .endpoint("record_failures = true")
            .start();
        let answer = client::http1(&gateway).get("/");
        let seen = (answer.status, answer.header("ouli-error"));
        assert_eq!(seen, (502, "upstream"), "{name}: {}", answer.text());
        gateway.stop();
        let failure = &folder.exchanges("default")[0]["failure"];
        assert_eq!(failure["what"], "malformed", "{name}: {failure}");
    }
}

#[test]
fn a_body_with_another_length_is_aborted_and_recorded_as_malformed() {
    for (name, length) in [("too long", "2"), ("too short", "4")] {
        let fields = [vec![STATUS], field("content-length", length)];
        let frames = [head(0, &fields), frame(DATA, END_STREAM, 1, b"abc")].concat();
        let upstream = origin(frames);
        let folder = Arc::new(Folder::new());
        let gateway = gateway::over(&folder, "record")
            .upstream(&format!("h2c://{upstream}"))
            .endpoint("record_failures = true")
            .start();
        let answer = client::http1(&gateway).ask("GET", "/").try_send();
        let is_502 = answer.as_ref().is_ok_and(|answer| answer.status == 502);
        assert!(answer.is_err() || is_502, "{name}: {answer:?}");
        gateway.stop();
        let failure = &folder.exchanges("default")[0]["failure"];
        assert_eq!(failure["what"], "malformed", "{name}: {failure}");
    }
}

/// What a client sees of a malformed response, and that a recording has it as a failure.
fn assert_malformed(name: &str, method: &str, frames: Vec<u8>, is_502: bool) {
    let upstream = origin(frames);
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record")
        .upstream(&format!("h2c://{upstream}"))
        .endpoint("record_failures = true")
        .start();
    let answer = client::http1(&gateway).ask(method, "/").try_send();
    let status = answer.as_ref().map(|answer| answer.status);
    match is_502 {
        true => assert!(matches!(status, Ok(502)), "{name}: {answer:?}"),
        false => assert!(answer.is_err(), "{name}: {answer:?}"),
    }
    gateway.stop();
    let failure = &folder.exchanges("default")[0]["failure"];
    assert_eq!(failure["what"], "malformed", "{name}: {failure}");
}

#[test]
fn data_after_a_head_without_a_body_is_a_502() {
    for (name, method, status) in [
        ("204", "GET", 0x89),
        ("304", "GET", 0x8b),
        ("HEAD", "HEAD", STATUS),
    ] {
        let frames = [head(0, &[vec![status]]), frame(DATA, END_STREAM, 1, b"abc")];
        assert_malformed(name, method, frames.concat(), true);
    }
}

#[test]
fn a_head_without_a_body_may_end_in_an_empty_frame() {
    let frames = [head(0, &[vec![0x89]]), frame(DATA, END_STREAM, 1, b"")];
    let upstream = origin(frames.concat());
    let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough")
        .upstream(&format!("h2c://{upstream}"))
        .start();
    assert_eq!(client::http1(&gateway).get("/").status, 204);
}

#[test]
fn malformed_trailers_break_the_response() {
    let trailers = |fields: &[Vec<u8>]| {
        let head = head(0, &[vec![STATUS]]);
        let data = frame(DATA, 0, 1, b"abc");
        [head, data, self::head(END_STREAM, fields)].concat()
    };
    let frames = trailers(&[field("x-sum", "1 ")]);
    assert_malformed("a space after a value", "GET", frames, false);
    for (name, field) in [
        ("an indexed status", vec![STATUS]),
        ("a status", field(":status", "200")),
        ("a path", field(":path", "/")),
    ] {
        let frames = trailers(&[field, self::field("x-sum", "1")]);
        assert_malformed(name, "GET", frames, false);
    }
}

/// Responses of one connection, the first of them malformed.
#[test]
fn a_malformed_response_leaves_the_tables_of_its_connection_as_they_are() {
    const INDEXED: u8 = 0x40;

    let pair = |name: &str, value: &str| [vec![INDEXED], field(name, value)[1..].to_vec()].concat();
    let origin = scripted(move |_, peer| {
        peer.settings(100)?;
        // The entry of the malformed block is the last of the table.
        let malformed = [vec![STATUS, 0x84], pair("x-a", "1")].concat();
        peer.respond_with(peer.request()?, &malformed)?;
        let valid = [vec![STATUS], vec![0x80 | 62]].concat();
        let second = peer.request()?;
        peer.respond_with(second, &valid)?;
        peer.wait()
    });
    let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough")
        .upstream(&format!("h2c://{}", origin.address))
        .start_with(1);
    assert_eq!(client::http1(&gateway).get("/").status, 502);
    let answer = client::http1(&gateway).get("/");
    assert_eq!((answer.status, answer.header("x-a")), (200, "1"));
    assert_eq!(origin.seen(), (2, 1));
}
