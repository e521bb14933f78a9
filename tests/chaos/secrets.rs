//! Redaction of truncated bodies, and the view that policies get of failed exchanges.

use std::io::Write as _;
use std::sync::Arc;

use ouli_config::Defect;
use serde_json::Value;

use super::peers::{Do, ask, origin, send, send_until};
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::plugins::fixture;
use crate::support::{PATIENCE, client, until};

const CANARY: &str = "cut-canary-5e7d1c";

/// Records a truncated body of this content type; returns the recorded body and the folder for a
/// replay.
fn recorded(kind: &str, body: &[u8]) -> (Value, Arc<Folder>) {
    let length = body.len() + 100;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{kind}\r\n\r\n");
    let sent: &'static [u8] = Box::leak([head.as_bytes(), body].concat().into());
    let origin = origin(Box::leak(vec![Do::Read, Do::Send(sent)].into()));
    let gateway = gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(&origin.url())
        .set("record_failures = true")
        .section("[redactor]\njson_pointers = [\"/deep/*/pin\"]\nform = [\"pin\"]")
        .start();
    let request = "GET / HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip\r\n\r\n";
    send(gateway.address, request, PATIENCE);
    until("the recording", || {
        let report = gateway.session("default");
        (report.recorded_failures + report.counted(Defect::Partial).values().sum::<u64>() == 1)
            .then_some(())
    });
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    for (path, bytes) in folder.files() {
        let found = memchr::memmem::find(&bytes, CANARY.as_bytes());
        assert!(found.is_none(), "{} contains it", path.display());
    }
    let exchange = folder.exchanges("default").pop().unwrap_or(Value::Null);
    (exchange["response"]["body"].clone(), folder)
}

#[test]
fn secrets_are_found_in_truncated_json() {
    let json = "content-type: application/json";
    let text = format!("{{\"deep\": [{{\"pin\": \"{CANARY}\", \"n\": 1}}], \"more\": [1, 2");
    let (body, _) = recorded(json, text.as_bytes());
    let expected = text.replace(CANARY, "<pin-1>");
    assert_eq!(body["text"], expected.as_str());
    // The text is cut within the secret, after it, and before the next member name.
    for (text, expected) in [
        (
            format!("{{\"deep\": [{{\"pin\": \"{CANARY}"),
            "{\"deep\": [{\"pin\": \"<pin-1>",
        ),
        (
            format!("{{\"deep\": {{\"a\": {{\"pin\": \"{CANARY}\""),
            "{\"deep\": {\"a\": {\"pin\": \"<pin-1>\"",
        ),
        (
            format!("{{\"password\": \"{CANARY}\", "),
            "{\"password\": \"<password-1>\", ",
        ),
    ] {
        let (body, _) = recorded(json, text.as_bytes());
        assert_eq!(body["text"], expected);
    }
    // A body that cannot be parsed is not recorded.
    let text = format!("{{\"deep\" oops [{{\"pin\": \"{CANARY}");
    let (body, _) = recorded(json, text.as_bytes());
    assert_eq!(body, Value::Null);
}

#[test]
fn secrets_are_found_in_truncated_multipart() {
    let text = format!(
        "--b\r\ncontent-disposition: form-data; name=\"pin\"\r\n\r\n{CANARY}\r\n--b\r\n\
         content-disposition: form-data; name=\"x\"\r\n\r\nhalf"
    );
    let (body, _) = recorded(
        "content-type: multipart/form-data; boundary=b",
        text.as_bytes(),
    );
    let shown = body.to_string();
    assert!(
        shown.contains("<pin-1>") && shown.contains("half"),
        "{shown}"
    );
}

#[test]
fn a_truncated_compressed_body_is_decoded_up_to_its_end() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder
        .write_all(format!("{{\"token\": \"{CANARY}\", \"a\": [").as_bytes())
        .unwrap();
    encoder.flush().unwrap();
    let sent = encoder.get_ref().clone();
    let kind = "content-type: application/json\r\ncontent-encoding: gzip";
    let (body, folder) = recorded(kind, &sent);
    assert_eq!(body["text"], "{\"token\": \"<token-1>\", \"a\": [");
    let replay = gateway::replay_repeating(&folder).start();
    let mut opened = client::http1(&replay)
        .ask("GET", "/")
        .header("accept-encoding", "gzip")
        .open();
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    loop {
        match opened.next() {
            Some(Ok(part)) => decoder.write_all(&part).unwrap(),
            Some(Err(_)) => break,
            None => panic!("the response is complete"),
        }
    }
    decoder.flush().unwrap();
    assert_eq!(decoder.get_ref(), b"{\"token\": \"<token-1>\", \"a\": [");
    // A client that does not accept the coding gets the decoded body.
    let request = "GET / HTTP/1.1\r\nhost: a\r\naccept-encoding: identity\r\n\r\n";
    let (plain, _) = send(replay.address, request, PATIENCE);
    assert!(!plain.contains("content-encoding"), "{plain}");
    assert!(plain.ends_with("\"a\": ["), "{plain}");
}

#[test]
fn policies_see_failures_without_a_response() {
    let tags = |steps| {
        let origin = origin(steps);
        let gateway = gateway::over(&Arc::new(Folder::new()), "record")
            .upstream(&origin.url())
            .set("record_failures = true")
            .plugin("policy.wasm", &fixture("asked-policy"))
            .section("[policy]\nskip_status = [\"500-599\"]")
            .start();
        let request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        send_until(gateway.address, request, "}\n");
        let report = until("the end of the exchange", || {
            let report = gateway.session("default");
            let sum = report.recorded_failures + report.skipped.values().sum::<u64>();
            (sum == 1).then_some(report)
        });
        let folder = Arc::clone(&gateway.folder);
        gateway.stop();
        (folder.exchanges("default").pop(), report)
    };
    let (reset, _) = tags(&[Do::Read, Do::Reset]);
    let reset = reset.unwrap();
    assert_eq!(reset["tags"]["failure"], "head reset");
    assert_eq!(reset["tags"]["answered"], "no");
    let (half, _) = tags(&[Do::Read, Do::Send(super::body::SIZED)]);
    let half = half.unwrap();
    assert_eq!(half["tags"]["failure"], "body closed");
    assert_eq!(half["tags"]["answered"], "yes");
    let (none, report) = tags(&[Do::Read]);
    assert!(none.is_none());
    assert_eq!(report.skipped["closed without a response"], 1);
}

#[test]
fn secrets_are_found_in_the_last_event_of_a_truncated_stream() {
    for (kind, before) in [
        (
            "content-type: text/event-stream",
            "data: {\"n\": 1}\n\ndata: ",
        ),
        ("content-type: application/x-ndjson", "{\"n\": 1}\n"),
    ] {
        let text = format!("{before}{{\"deep\": [{{\"pin\": \"{CANARY}\", \"n\": [1");
        let (body, folder) = recorded(kind, text.as_bytes());
        let expected = text.replace(CANARY, "<pin-1>");
        let lines: Vec<_> = body["text"].as_array().unwrap().iter().collect();
        let shown: String = lines.iter().map(|line| line.as_str().unwrap()).collect();
        assert_eq!(shown, expected, "{kind}");
        let replay = gateway::replay_repeating(&folder).start();
        let (answer, _) = ask(replay.address, "/", PATIENCE);
        assert!(answer.ends_with(&expected), "{answer}");
    }
}
