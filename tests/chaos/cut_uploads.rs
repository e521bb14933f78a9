//! Uploads that broke off: they match requests that begin with the same bytes, and no others.

use std::sync::Arc;

use ouli_config::Defect;

use super::early_responses::{REFUSED, record, recorded, upload};
use super::peers::{Do, origin, origins};
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::until;

/// Records an upload that breaks off after `part`, which may be any bytes. It is the `number`th.
fn record_cut(gateway: &Running, number: u64, fields: &str, part: &[u8]) {
    let mut client = upload(gateway, fields, 500_000, "");
    client.write(part);
    assert!(client.read_until("no").ends_with("no"));
    drop(client);
    until("the recording", || {
        let session = gateway.session("default");
        assert_eq!(session.counted(Defect::Partial), [].into(), "{session:?}");
        (session.recorded == number).then_some(())
    });
}

#[test]
fn a_cut_upload_matches_only_what_was_sent() {
    const FORM: &str = "application/x-www-form-urlencoded";
    const JSON: &str = "application/json";
    const LINES: &str = "application/x-ndjson";
    let (long, other) = ("A".repeat(1000), "B".repeat(1000));
    let cases: [(&str, &[u8], &[u8]); 10] = [
        (JSON, br#"{"n":1,"d":"AAA"#, br#"{"n":1,"d":"BBB"#),
        (JSON, br#"{"n":1,"d":"AAA"#, br#"{"n":1,"d":"AAB"#),
        (JSON, br#"{"n":-"#, br#"{"n":0"#),
        (JSON, br#"{"a":1,"b":2"#, br#"{"b":2,"a":1"#),
        (JSON, b"{\"d\":\"x\xc3", b"{\"d\":\"x\xc4"),
        (FORM, b"a=1&b=2", b"b=2&a=1"),
        (
            LINES,
            b"{\"i\":{}}\n{\"d\":\"AA",
            b"{\"i\":{}}\n{\"d\":\"AB",
        ),
        ("text/plain", b"one AAA", b"one BBB"),
        ("text/plain", long.as_bytes(), other.as_bytes()),
        ("application/octet-stream", b"\xff\xfe\xfd", b"\xff\xfe\xfc"),
    ];
    for (kind, sent, other) in cases {
        let shown = String::from_utf8_lossy(other);
        let origin = origin(&[Do::Read, Do::Send(REFUSED), Do::Stall]);
        let gateway = record(&origin);
        record_cut(&gateway, 1, &format!("content-type: {kind}\r\n"), sent);
        let (folder, _) = recorded(gateway, 1);
        let replay = gateway::replay_repeating(&folder).start();
        let post = |part: &[u8], rest: &str| {
            let ask = client::http1(&replay).ask("POST", "/up");
            let body = [part, rest.as_bytes()].concat();
            ask.header("content-type", kind).body(&body).send().status
        };
        assert_eq!(post(other, ""), 404, "{kind} {shown}");
        assert_eq!(post(other, "\"} and more"), 404, "{kind} {shown}");
        // However much of the upload arrives.
        assert_eq!(post(sent, ""), 401, "{kind} {shown}");
        assert_eq!(post(sent, " and more"), 401, "{kind} {shown}");
        let report = replay.finish();
        assert_eq!((report.hits, report.misses, report.passed), (2, 2, false));
    }
}

#[test]
fn cut_uploads_keep_their_order_whatever_was_sent_of_them() {
    const BUSY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\n\r\nno";
    let whole = (0..500).map(|line| format!("{line},some text\n"));
    let whole: String = whole.collect();
    let origin = origins(vec![
        &[Do::Read, Do::Send(REFUSED), Do::Stall],
        &[Do::Read, Do::Send(BUSY), Do::Stall],
        &[Do::Read, Do::Send(REFUSED), Do::Stall],
    ]);
    let gateway = record(&origin);
    let fields = "content-type: text/csv\r\n";
    for (number, length) in (1..).zip([3000, 1000, 2000]) {
        record_cut(&gateway, number, fields, &whole.as_bytes()[..length]);
    }
    let (folder, _) = recorded(gateway, 3);
    // An upload that differs after 1500 bytes is not waited for longer than that can matter.
    let replay = gateway::replay_repeating(&folder).start();
    let mut other = upload(&replay, fields, whole.len(), &whole[..1500]);
    other.write("-".repeat(1500));
    assert!(other.read_until("\r\n").contains("429"));
    let replay = gateway::replay_repeating(&folder).start();
    let status = |sent: &[usize]| {
        let mut client = upload(&replay, fields, whole.len(), "");
        sent.iter().fold(0, |from, until| {
            client.write(&whole[from..*until]);
            *until
        });
        client.read_until("no")[9..12].to_owned()
    };
    // The first exchange is not given to the second request, although fewer bytes would do.
    assert_eq!(status(&[1000, 2500, 3500]), "401");
    assert_eq!(status(&[1500]), "429");
    assert_eq!(status(&[2200]), "401");
    // Another upload does not wait for what the first one sent.
    let mut other = upload(&replay, fields, 1000, "other");
    other.write("-".repeat(995));
    assert!(other.read_until("\r\n").contains("404"));
}

#[test]
fn an_upload_that_is_cut_within_a_secret_is_not_recorded() {
    const CANARY: &str = "sk-ant-c4N4ryV4lu3-0123456789-AbCd9";
    const ANTHROPIC: &str = "pattern.anthropic-key";
    const TOKEN: &str = "opaque-t0ken-c4n4ry-5678";
    for (kind, before, secret, rule) in [
        ("text/plain", "the key is ", CANARY, ANTHROPIC),
        (
            "application/json",
            "{\"n\": 1, \"a\": [\"",
            CANARY,
            ANTHROPIC,
        ),
        ("text/plain", "again ", TOKEN, "header.authorization"),
        (
            "text/plain",
            "at https://user:",
            "p4ssc4n4ry",
            "url.userinfo",
        ),
    ] {
        let origin = origin(&[Do::Read, Do::Send(REFUSED), Do::Stall]);
        let gateway = record(&origin);
        let cut = &secret[..secret.len() * 2 / 3];
        let fields = format!("content-type: {kind}\r\nauthorization: Bearer {TOKEN}\r\n");
        let mut client = upload(&gateway, &fields, 1000, &format!("{before}{cut}"));
        assert!(client.read_until("no").ends_with("no"));
        drop(client);
        let defects = || gateway.session("default").counted(Defect::Partial);
        until("the outcome", || (!defects().is_empty()).then_some(()));
        let folder = Arc::clone(&gateway.folder);
        let report = gateway.finish();
        assert_eq!((report.recorded, report.passed), (0, false), "{report:?}");
        let reason = format!("the request is truncated where a secret may begin ({rule})");
        assert!(
            format!("{report:?}").contains(&reason),
            "{reason} {report:?}"
        );
        for (path, bytes) in folder.files() {
            let found = memchr::memmem::find(&bytes, &cut.as_bytes()[..6]);
            assert!(found.is_none(), "{} contains it", path.display());
        }
    }
}

#[test]
fn a_cut_value_that_a_rule_names_matches_as_a_secret() {
    let origin = origin(&[Do::Read, Do::Send(REFUSED), Do::Stall]);
    let gateway = record(&origin);
    let json = "content-type: application/json\r\n";
    record_cut(&gateway, 1, json, br#"{"n": 1, "password": "canary-7d"#);
    let (folder, exchanges) = recorded(gateway, 1);
    let text = &exchanges[0]["request"]["body"]["text"];
    assert_eq!(text, r#"{"n": 1, "password": "<password-1>"#);
    let replay = gateway::replay_repeating(&folder).start();
    for (number, expected) in [(1, 401), (2, 404)] {
        let body = format!(r#"{{"n": {number}, "password": "other-8e2a0", "more": 1}}"#);
        let answer = client::http1(&replay).post("/up", "application/json", &body);
        assert_eq!(answer.status, expected);
    }
}

/// Records one upload for each part, in order. Each response has the number of its upload.
pub(super) fn record_numbered(kind: &str, parts: &[String]) -> Running {
    let script = |number: usize| -> &'static [Do] {
        let head = format!("HTTP/1.1 401 Unauthorized\r\nx-number: {number}\r\n");
        let response = format!("{head}content-length: 2\r\n\r\nno")
            .leak()
            .as_bytes();
        vec![Do::Read, Do::Send(response), Do::Stall].leak()
    };
    let gateway = record(&origins((0..=parts.len()).map(script).collect()));
    let fields = format!("content-type: {kind}\r\n");
    for (number, part) in (1..).zip(parts) {
        record_cut(&gateway, number, &fields, part.as_bytes());
    }
    gateway
}

/// Also records one whole request to the same path: no request is answered before its end then.
fn and_a_whole_one(gateway: Running, parts: usize) -> Arc<Folder> {
    let whole = client::http1(&gateway).post("/up", "text/plain", "whole");
    assert_eq!(whole.status, 401);
    recorded(gateway, parts as u64 + 1).0
}

#[test]
fn uploads_that_broke_off_at_hundreds_of_lengths_are_all_found() {
    let lengths = || (0..300).map(|number| (number * 77 % 300, 200 + number * 77 % 300 * 5));
    let other = |(number, length): (usize, usize)| {
        let text = format!("upload {number}, ").repeat(200);
        text[..length].to_owned()
    };
    let same = |(_, length): (usize, usize)| "one file, ".repeat(200)[..length].to_owned();
    for parts in [
        lengths().map(other).collect::<Vec<_>>(),
        lengths().take(40).map(same).collect(),
    ] {
        let folder = and_a_whole_one(record_numbered("text/plain", &parts), parts.len());
        let is_same = parts[0].starts_with("one");
        let replay = gateway::replay_repeating(&folder).start();
        let mut order: Vec<_> = (0..parts.len()).collect();
        if !is_same {
            // Each is found by what was sent of it. Parts of one file are replayed in order.
            order.reverse();
        }
        for number in order {
            let body = match is_same {
                true => "one file, ".repeat(200),
                false => format!("{} and more", parts[number]),
            };
            let response = client::http1(&replay).post("/up", "text/plain", &body);
            assert_eq!(response.status, 401, "{number}: {}", response.text());
            assert_eq!(response.header("x-number"), number.to_string());
        }
        let report = replay.finish();
        assert_eq!((report.hits, report.misses), (parts.len() as u64, 0));
    }
}

#[test]
fn uploads_beyond_the_limit_are_not_compared() {
    // Recorded with other spaces, so that a key is derived for each length.
    let part = |number: usize| format!("{{\"n\":{number}, \"text\":\"{}", "a".repeat(number));
    let origin = origin(&[Do::Read, Do::Send(REFUSED), Do::Stall]);
    let gateway = record(&origin);
    let json = "content-type: application/json\r\n";
    for number in 1..=6 {
        let number_of = u64::try_from(number).unwrap();
        record_cut(&gateway, number_of, json, part(number).as_bytes());
    }
    // No request is answered before its end.
    client::http1(&gateway).post("/up", "application/json", "0");
    let (folder, _) = recorded(gateway, 7);
    let replay = |limit: &str| {
        let limit = format!("[limits]\ntruncated_comparison = \"{limit}\"");
        gateway::replay_repeating(&folder).section(&limit).start()
    };
    let ask = |gateway: &Running, number: usize| {
        let body = part(number).replace(",", " ,").replace(", ", ",");
        client::http1(gateway).post("/up", "application/json", &(body + "\"}"))
    };
    assert_eq!(ask(&replay("1 MiB"), 6).status, 401);
    // Three keys: 16 KiB for each, and the bytes of its part.
    let replay = replay("64 KiB");
    let missed = ask(&replay, 6);
    assert_eq!(missed.status, 404);
    let told = "uploads that broke off at 3 other lengths were not compared";
    assert!(missed.text().contains(told), "{}", missed.text());
    // A request that begins with one of these three is found.
    assert_eq!(ask(&replay, 1).status, 401);
}
