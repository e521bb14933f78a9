//! Responses that arrive before the end of the request: recorded with the request bytes that were
//! sent.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use ouli_config::Defect;
use serde_json::Value;

use super::http2_origin::{self, Frame};
use super::peers::{Do, Origin, origin, origins};
use crate::support::client::{self, Raw, raw};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::{PATIENCE, until};

pub(super) const REFUSED: &[u8] = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes";

pub(super) fn record(origin: &Origin) -> Running {
    over(&origin.url(), "")
}

fn over(url: &str, limits: &str) -> Running {
    gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(url)
        .section(limits)
        .start()
}

/// Sends the head and the first bytes of an upload.
pub(super) fn upload(gateway: &Running, fields: &str, length: usize, part: &str) -> Raw {
    let head = format!("POST /up HTTP/1.1\r\nhost: a\r\n{fields}content-length: {length}\r\n\r\n");
    raw(gateway.address, head + part)
}

/// Waits until `count` exchanges are recorded and returns them; there must be no failed ones.
pub(super) fn recorded(gateway: Running, count: u64) -> (Arc<Folder>, Vec<Value>) {
    until("the recording", || {
        (gateway.session("default").recorded == count).then_some(())
    });
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert!(
        report.passed && report.counted(Defect::Partial).is_empty(),
        "{report:?}"
    );
    let exchanges = folder.exchanges("default");
    (folder, exchanges)
}

#[test]
fn a_request_that_its_client_sends_to_the_end_is_recorded_whole() {
    let whole = "0123456789".repeat(50_000);
    let (half, rest) = whole.split_at(100_000);
    let cases: [&'static [Do]; 3] = [
        &[Do::Read, Do::Send(REFUSED), Do::Stall],
        &[Do::Read, Do::Send(REFUSED)],
        &[Do::Read, Do::Send(REFUSED), Do::HalfClose],
    ];
    for steps in cases {
        for delayed in [true, false] {
            let origin = origin(steps);
            let gateway = record(&origin);
            let mut client = upload(&gateway, "", whole.len(), half);
            if delayed {
                assert!(client.read_until("no").ends_with("no"), "{steps:?}");
                client.write(rest);
            } else {
                client.write(rest);
                assert!(client.read_until("no").ends_with("no"), "{steps:?}");
            }
            let (folder, exchanges) = recorded(gateway, 1);
            let request = &exchanges[0]["request"];
            assert_eq!(request["body"]["size"], whole.len(), "{steps:?} {request}");
            assert!(request.get("truncated_at").is_none(), "{steps:?}");
            let replay = gateway::replay_repeating(&folder).start();
            let answer = client::http1(&replay)
                .ask("POST", "/up")
                .body(&whole)
                .send();
            assert_eq!((answer.status, answer.text()), (401, "no"));
            let other = client::http1(&replay).ask("POST", "/up").body(half).send();
            assert_eq!(other.header("ouli-error"), "miss");
        }
    }
}

#[test]
fn a_connection_serves_the_next_request_after_an_early_response() {
    let origin = origins(vec![
        &[Do::Read, Do::Send(REFUSED)],
        &[Do::Read, Do::Send(OK)],
    ]);
    let gateway = record(&origin);
    let mut client = upload(&gateway, "", 8, "half");
    assert!(client.read_until("no").ends_with("no"));
    // After one second without a request the gateway releases the buffers of an idle connection.
    // This connection is not idle: the rest of the body must not be parsed as a request.
    assert!(client.is_silent_for(Duration::from_millis(1500)));
    client.write("rest");
    client.write("GET /next HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(client.read_until("yes").ends_with("yes"));
    let (_, exchanges) = recorded(gateway, 2);
    let bodies: Vec<_> = exchanges.iter().map(|it| &it["request"]["body"]).collect();
    assert!(
        bodies.iter().any(|body| body["text"] == "halfrest"),
        "{bodies:?}"
    );
}

#[test]
fn a_request_that_its_client_gives_up_is_recorded_as_far_as_it_was_sent() {
    let origin = origin(&[Do::Read, Do::Send(REFUSED), Do::Stall]);
    let gateway = record(&origin);
    let part = "name,size\none,1\ntwo,2";
    let mut client = upload(&gateway, "content-type: text/csv\r\n", 1000, part);
    assert!(client.read_until("no").ends_with("no"));
    drop(client);
    let (folder, exchanges) = recorded(gateway, 1);
    let request = &exchanges[0]["request"];
    assert_eq!(request["truncated_at"], part.len());
    let text: String = request["body"]["text"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    assert_eq!(text, part);
    let replay = gateway::replay_repeating(&folder).start();
    // A client that waits for the response gets it, and so does one that first sends its whole
    // body.
    let mut waits = upload(&replay, "content-type: text/csv\r\n", 1000, part);
    assert!(waits.read_until("no").starts_with("HTTP/1.1 401"));
    let whole = format!("{part},and more\n").repeat(1000);
    let post = |body: &str| client::http1(&replay).post("/up", "text/csv", body);
    assert_eq!(post(&whole).status, 401);
    assert_eq!(post(part).status, 401);
    let other = post(&whole.replacen("one", "eins", 1));
    assert_eq!(other.header("ouli-error"), "miss");
    let shorter = post("name,size\n");
    assert_eq!(shorter.header("ouli-error"), "miss");
    let report = replay.finish();
    assert_eq!((report.hits, report.misses), (3, 2));
}

#[test]
fn early_responses_differ_by_what_was_sent_and_keep_their_order() {
    const BUSY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 4\r\n\r\nbusy";
    let origin = origins(vec![
        &[Do::Read, Do::Send(REFUSED), Do::Stall],
        &[Do::Read, Do::Send(BUSY), Do::Stall],
        &[Do::Read, Do::Send(OK), Do::Stall],
    ]);
    let gateway = record(&origin);
    let json = "content-type: application/json\r\n";
    let (one, two) = (r#"{"n": 1, "x": "#, r#"{"n": 2, "x": "#);
    for (count, (part, end)) in (1..).zip([(one, "no"), (two, "busy")]) {
        let mut client = upload(&gateway, json, 1000, part);
        assert!(client.read_until(end).ends_with(end));
        drop(client);
        until("the recording", || {
            (gateway.session("default").recorded == count).then_some(())
        });
    }
    let post = |gateway: &Running, number: u8| {
        let body = format!("{{\"n\": {number}, \"x\": 7}}");
        let answer = client::http1(gateway).post("/up", "application/json", &body);
        answer.status
    };
    assert_eq!(post(&gateway, 1), 200);
    let (folder, _) = recorded(gateway, 3);
    let replay = gateway::replay(&folder)
        .set("on_exhausted = \"miss\"")
        .start();
    assert_eq!(post(&replay, 2), 429);
    assert_eq!(post(&replay, 1), 401, "the responses keep their order");
    assert_eq!(post(&replay, 1), 200);
    assert_eq!(post(&replay, 1), 404, "all responses are replayed");
    assert_eq!(post(&replay, 3), 404);
}

#[test]
fn fields_that_are_ignored_are_ignored_in_a_truncated_request() {
    let origin = origin(&[Do::Read, Do::Send(REFUSED), Do::Stall]);
    let gateway = record(&origin);
    let json = "content-type: application/json\r\n";
    let part = r#"{"password": "canary-7d1f", "nonce": 1, "n": 2, "more": ["#;
    let mut client = upload(&gateway, json, 1000, part);
    assert!(client.read_until("no").ends_with("no"));
    drop(client);
    let (folder, exchanges) = recorded(gateway, 1);
    let text = exchanges[0]["request"]["body"]["text"].as_str().unwrap();
    assert!(text.contains("<password-1>"), "{text}");
    let ignore = "[matcher]\nignore_body = [\"/nonce\"]";
    let replay = gateway::replay_repeating(&folder).section(ignore).start();
    let post = |body: &str| {
        client::http1(&replay)
            .post("/up", "application/json", body)
            .status
    };
    // Live requests are cut at the lengths of the recorded requests.
    assert_eq!(
        post(r#"{"password": "other-8e2a0", "nonce": 3, "n": 2, "more": [1]}"#),
        401
    );
    assert_eq!(
        post(r#"{"password": "other-8e2a0", "nonce": 3, "n": 3, "more": [1]}"#),
        404
    );
}

#[test]
fn a_coded_request_is_recorded_as_far_as_it_can_be_decoded() {
    let text: String = (0..20_000)
        .map(|number| format!("line {number}\n"))
        .collect();
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    coder.write_all(text.as_bytes()).unwrap();
    let coded = coder.finish().unwrap();
    let origin = origin(&[Do::Read, Do::Send(REFUSED), Do::Stall]);
    let gateway = record(&origin);
    let fields = "content-type: text/plain\r\ncontent-encoding: gzip\r\n";
    let mut client = upload(&gateway, fields, coded.len(), "");
    client.write(&coded[..coded.len() / 2]);
    assert!(client.read_until("no").ends_with("no"));
    drop(client);
    let (folder, exchanges) = recorded(gateway, 1);
    assert!(exchanges[0]["request"]["truncated_at"].as_u64().unwrap() <= coded.len() as u64 / 2);
    let replay = gateway::replay_repeating(&folder).start();
    let ask = client::http1(&replay).ask("POST", "/up");
    let ask = ask
        .header("content-type", "text/plain")
        .header("content-encoding", "gzip");
    assert_eq!(ask.body(&coded).send().status, 401);
}

#[test]
fn a_slow_upload_is_not_waited_for_without_end() {
    for limits in [
        "background_read_timeout = \"100ms\"",
        "background_reads = 0",
    ] {
        let origin = origin(&[Do::Read, Do::Send(REFUSED), Do::Stall]);
        let gateway = over(&origin.url(), &format!("[limits]\n{limits}"));
        let mut client = upload(&gateway, "", 1000, "some of it");
        assert!(client.read_until("no").ends_with("no"));
        let (folder, exchanges) = recorded(gateway, 1);
        assert_eq!(exchanges[0]["request"]["truncated_at"], 10);
        let replay = gateway::replay_repeating(&folder).start();
        let mut again = upload(&replay, "", 1000, "some of it");
        assert!(again.read_until("no").starts_with("HTTP/1.1 401"));
    }
}

#[test]
fn an_upload_that_waits_for_100_continue_is_recorded() {
    let origin = origin(&[Do::Read, Do::Send(REFUSED), Do::Stall]);
    let gateway = record(&origin);
    let ask = |gateway: &Running| {
        let mut client = upload(gateway, "expect: 100-continue\r\n", 1000, "");
        let answer = client.read_until("no");
        assert!(answer.contains("HTTP/1.1 401"), "{answer}");
    };
    ask(&gateway);
    let (folder, exchanges) = recorded(gateway, 1);
    assert_eq!(exchanges[0]["request"]["truncated_at"], 0);
    ask(&gateway::replay_repeating(&folder).start());
}

#[test]
fn an_upload_that_an_http2_upstream_stops_is_recorded() {
    let frames = vec![
        Frame::Head(&[], false),
        Frame::Data(b"no", true),
        Frame::Reset,
    ];
    let address = http2_origin::start(frames);
    for gives_up in [true, false] {
        let gateway = over(&format!("h2c://{address}"), "");
        let mut client = upload(&gateway, "", 1000, "some of it");
        // The length of the body is unknown, so the response is chunked.
        assert!(client.read_until("0\r\n\r\n").contains("no"));
        if !gives_up {
            client.write("-".repeat(990));
        }
        drop(client);
        let (_, exchanges) = recorded(gateway, 1);
        let request = &exchanges[0]["request"];
        assert_eq!(request.get("truncated_at").is_some(), gives_up, "{request}");
    }
}

#[test]
fn a_client_that_disconnects_during_its_upload_does_not_lose_the_recording() {
    const HEAD: &[u8] = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 12\r\n\r\nfirst ";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (leave, has_left) = mpsc::channel();
    let origin = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut seen, mut byte) = (Vec::new(), [0]);
        while !seen.ends_with(b"part of it") {
            stream.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
        stream.write_all(HEAD).unwrap();
        has_left.recv().unwrap();
        // The connection stays open while a response is being sent.
        let quiet = Duration::from_millis(300);
        stream.set_read_timeout(Some(quiet)).unwrap();
        let error = stream.read(&mut byte).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        stream.write_all(b"second").unwrap();
        // After the response it is closed, because the request is incomplete.
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(stream.read_to_end(&mut seen).unwrap(), 0);
    });
    let gateway = over(&url, "");
    let mut client = upload(&gateway, "", 1000, "part of it");
    assert!(client.read_until("first ").ends_with("first "));
    drop(client);
    leave.send(()).unwrap();
    origin.join().unwrap();
    let (folder, exchanges) = recorded(gateway, 1);
    assert_eq!(exchanges[0]["request"]["truncated_at"], 10);
    assert_eq!(exchanges[0]["response"]["body"]["text"], "first second");
    let replay = gateway::replay_repeating(&folder).start();
    let mut again = upload(&replay, "", 1000, "part of it");
    assert!(again.read_until("second").starts_with("HTTP/1.1 401"));
}

#[test]
fn a_connection_that_closes_without_a_response_is_an_error_at_once() {
    const LENGTH: &str = "content-length: 5000\r\n\r\nsome";
    const CHUNK: &str = "transfer-encoding: chunked\r\n\r\n4\r\nsome\r\n";
    let cases: [(&[Do], &str); 6] = [
        (&[Do::Read], LENGTH),
        (&[Do::Read, Do::HalfClose], LENGTH),
        (&[Do::Read, Do::Reset], LENGTH),
        // Nothing is left unread, so the connection is not reset.
        (&[Do::Read, Do::Take(4)], LENGTH),
        (&[Do::Read, Do::Take(9)], CHUNK),
        (&[Do::Read, Do::Take(9), Do::HalfClose], CHUNK),
    ];
    for (number, (steps, part)) in cases.into_iter().enumerate() {
        for mode in ["passthrough", "record"] {
            let origin = origins(vec![steps]);
            let gateway = gateway::over(&Arc::new(Folder::new()), mode).upstream(&origin.url());
            let gateway = gateway.start();
            // The client pauses within its body.
            let request = format!("POST /up HTTP/1.1\r\nhost: a\r\n{part}");
            let mut client = raw(gateway.address, request);
            let response = client.read_until("\r\n");
            assert!(response.contains(" 502 "), "{mode} {number}: {response}");
            drop(client);
            if mode == "record" {
                let counted = gateway.finish();
                let kinds: Vec<_> = counted.failures.iter().map(|it| it.kind).collect();
                assert_eq!(kinds, ["upstream-error"], "{number}: {counted:?}");
            }
        }
    }
}
