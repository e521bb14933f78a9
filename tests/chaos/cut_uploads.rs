//! Uploads that broke off: they match requests that begin with the same bytes, and no others.

use std::sync::Arc;

use ouli_config::Defect;

use super::early_responses::{REFUSED, record, recorded, upload};
use super::peers::{Do, origin, origins};
use crate::support::client;
use crate::support::gateway::{self, Running};
use crate::support::until;

/// Records an upload that breaks off after `part`, which may be any bytes. It is the `number`th.
fn record_cut(gateway: &Running, number: u64, fields: &str, part: &[u8]) {
    let mut client = upload(gateway, fields, 5000, "");
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
    let (long, other) = ("A".repeat(1000), "B".repeat(1000));
    let cases: [(&str, &[u8], &[u8]); 9] = [
        (JSON, br#"{"n":1,"d":"AAA"#, br#"{"n":1,"d":"BBB"#),
        (JSON, br#"{"n":1,"d":"AAA"#, br#"{"n":1,"d":"AAB"#),
        (JSON, br#"{"n":-"#, br#"{"n":0"#),
        (JSON, br#"{"a":1,"b":2"#, br#"{"b":2,"a":1"#),
        (JSON, b"{\"d\":\"x\xc3", b"{\"d\":\"x\xc4"),
        (FORM, b"a=1&b=2", b"b=2&a=1"),
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
        let replay = gateway::replay(&folder).start();
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
    let replay = gateway::replay(&folder).start();
    let mut other = upload(&replay, fields, whole.len(), &whole[..1500]);
    other.write("-".repeat(1500));
    assert!(other.read_until("\r\n").contains("429"));
    let replay = gateway::replay(&folder).start();
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
    let replay = gateway::replay(&folder).start();
    for (number, expected) in [(1, 401), (2, 404)] {
        let body = format!(r#"{{"n": {number}, "password": "other-8e2a0", "more": 1}}"#);
        let answer = client::http1(&replay).post("/up", "application/json", &body);
        assert_eq!(answer.status, expected);
    }
}
