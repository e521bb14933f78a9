//! Responses that the gateway rejects or cannot record: the reason reaches the verdict.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Trial, at};
use crate::support::client;
use crate::support::origin;

#[test]
fn an_upstream_whose_response_is_rejected() {
    let early = "HTTP/1.1 103 Early Hints\r\n\r\n";
    let end = "content-length: 2\r\n\r\nok";
    for (response, reason) in [
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n".to_owned(),
            "it has a transfer coding other than `chunked`",
        ),
        (
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n{end}"),
            "it has both a `content-length` and a transfer coding",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"
                .to_owned(),
            "it switches protocols although the request did not ask for it",
        ),
        (
            format!("{}HTTP/1.1 200 OK\r\n{end}", early.repeat(100)),
            "limits.interim_responses",
        ),
        (
            format!("HTTP/1.1 200 OK\r\nx: a\0b\r\n{end}"),
            "invalid HTTP header",
        ),
    ] {
        let origin = origin::peer(move |peer| {
            peer.head();
            peer.send(&response);
        });
        let rejected = |address| {
            let mut answer = client::raw(
                address,
                "GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            );
            let answer = answer.rest();
            assert!(answer.contains("HTTP/1.1 502 "), "{answer}");
            assert!(answer.contains(reason), "{answer}");
        };
        for mode in ["record", "auto"] {
            let trial = Trial::new(mode, &format!("http://{origin}"), &rejected);
            trial.fails_with("upstream-error", reason);
        }
    }
}

#[test]
fn a_coded_body_that_cannot_be_recorded_is_served() {
    let coded = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let mut brotli_with_tail = Vec::new();
    let mut writer = brotli::CompressorWriter::new(&mut brotli_with_tail, 4096, 11, 24);
    writer.write_all(b"good morning").unwrap();
    drop(writer);
    brotli_with_tail.extend(b"xx");
    let secret = coded(r#"{"password": "correct horse battery"}"#);
    let slice = coded(&"good morning ".repeat(20))[..20].to_vec();
    for (status, coding, body, reason) in [
        (200, "br", brotli_with_tail, "the body is not valid br"),
        (206, "gzip", slice, "the body is not valid gzip"),
        (206, "gzip", secret, "a partial response (206)"),
    ] {
        let sent = body.clone();
        let origin = origin::new().route("/hello", move |_| {
            let reply = origin::bytes(sent.clone()).status(status);
            let range = format!("bytes 0-{}/1000", sent.len() - 1);
            let reply = reply.header("content-range", &range);
            reply
                .header("content-encoding", coding)
                .header("content-type", "application/json")
        });
        let origin = origin.start();
        let served = |address| assert_eq!(at(address).get("/hello").body, body, "{reason}");
        for mode in ["record", "auto"] {
            Trial::new(mode, &origin.url(), &served).fails_with("undecodable", reason);
        }
    }
}
