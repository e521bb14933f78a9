//! Bodies of all kinds and sizes.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Frame;

use super::{both_ways, record};
use crate::support::binary::program;
use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin::{self, bytes, json, parts, peer};

#[test]
fn bodies_come_back_byte_for_byte() {
    let all: Vec<u8> = (0..=255).collect();
    let bodies: [(&str, Vec<u8>); 6] = [
        (
            "application/json",
            b" {\"b\": 1.0, \"a\": 12345678901234567890}\r\n".to_vec(),
        ),
        ("application/json", b"{\"a\": broken".to_vec()),
        ("text/plain", b"one\ntwo\r\n\nthree".to_vec()),
        (
            "text/plain",
            "gr\u{fc}\u{df} \u{1F375} \u{2028}\0\x7f"
                .as_bytes()
                .to_vec(),
        ),
        ("application/octet-stream", all),
        ("text/html", b"{\n  \"exchange\": 1,\n".to_vec()),
    ];
    for (content_type, body) in bodies {
        let sent = body.clone();
        let handler =
            move |_: &origin::Seen| bytes(sent.clone()).header("content-type", content_type);
        let origin = origin::new().route("/body", handler).start();
        let (answer, _) = both_ways(origin, |client| client.get("/body"));
        assert_eq!(answer.body, body, "{content_type}");
    }
}

#[test]
fn json_is_stored_as_it_was_sent() {
    let origin = origin::new()
        .route("/json", |_| json("{\"n\": 1.50, \"m\": [1,2]}"))
        .start();
    let (_, folder) = both_ways(origin, |client| client.get("/json"));
    assert!(
        folder
            .text("default")
            .contains("\"json\": {\"n\": 1.50, \"m\": [1,2]}")
    );
}

#[test]
fn chunks_are_joined() {
    let origin = origin::new()
        .route("/parts", |_| {
            parts().part("one ").part("two ").part("three")
        })
        .route("/echo", |seen| bytes(seen.body.clone()))
        .start();
    let (answer, _) = record(&origin, |client| client.get("/parts"));
    assert_eq!(
        (answer.text(), answer.header("transfer-encoding")),
        ("one two three", "chunked")
    );
    let ask = |client: &Client| {
        let frames = ["in ", "pieces"].map(|part| Frame::data(Bytes::from(part)));
        client.ask("POST", "/echo").frames(frames.into()).send()
    };
    let (answer, folder) = both_ways(origin, ask);
    assert_eq!(answer.text(), "in pieces");
    assert_eq!(
        folder.exchanges("default")[0]["request"]["body"]["text"],
        "in pieces"
    );
}

#[test]
fn trailers_are_forwarded_and_replayed() {
    let reply = |_: &origin::Seen| {
        let reply = parts().header("trailer", "x-checksum").part("body");
        reply.trailer("x-checksum", "abc")
    };
    let origin = origin::new().route("/trailers", reply).start();
    let ask = |client: &Client| {
        client
            .ask("GET", "/trailers")
            .header("te", "trailers")
            .send()
    };
    let (answer, folder) = both_ways(origin, ask);
    assert_eq!(answer.text(), "body");
    assert_eq!(answer.trailers.unwrap()["x-checksum"], "abc");
    let trailers = &folder.exchanges("default")[0]["response"]["trailers"];
    assert_eq!(trailers[0], serde_json::json!(["x-checksum", "abc"]));
}

#[test]
fn a_body_above_the_inline_limit_is_stored_as_a_file() {
    let large = "0123456789abcdef".repeat(8 << 10);
    let sent = large.clone();
    let handler = move |_: &origin::Seen| origin::text(&sent);
    let origin = origin::new().route("/large", handler).start();
    let (answer, folder) = both_ways(origin, |client| client.get("/large"));
    assert_eq!(answer.body, large);
    let exchange = &folder.exchanges("default")[0];
    let file = exchange["response"]["body"]["file"].as_str().unwrap();
    assert_eq!(
        std::fs::read(folder.cassettes().join(file)).unwrap(),
        large.as_bytes()
    );
}

#[test]
fn an_endless_body_is_forwarded_and_not_recorded() {
    let mebibyte = Bytes::from(vec![b'x'; 1 << 20]);
    let handler = move |_: &origin::Seen| parts().repeat(mebibyte.clone(), 128);
    let origin = origin::new()
        .route("/endless", handler)
        .route("/small", |_| origin::text("small"))
        .start();
    let (folder, url) = (Folder::new(), origin.url());
    let listen = ["--listen", "127.0.0.1:0", "--report", "report.json"];
    let limit = ["--set", "limits.recorded_body=64 KiB"];
    let arguments = [&["record", "--upstream", &url][..], &listen, &limit].concat();
    let mut process = program(&folder, &arguments).start();
    let client = client::at(process.address(), http::Version::HTTP_11);
    client.get("/small");
    let before = process.peak_memory();
    assert_eq!(
        client.ask("GET", "/endless").open().count().unwrap(),
        128 << 20
    );
    let grown = process.peak_memory() - before;
    // The allocator reserves 4 MiB at a time for each thread and each size of large buffers.
    assert!(
        grown < 32 << 20,
        "memory grew by {grown} bytes for a stream of 128 MiB"
    );
    process.stop();
    let report = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let session = &report["sessions"][0];
    assert_eq!(session["recorded"], 1, "{report:#}");
    let partial = session["defects"]["partial"].as_object().unwrap();
    let (reason, count) = partial.iter().next().unwrap();
    assert!(
        reason.contains("limits.recorded_body") && *count == 1,
        "{reason}"
    );
    assert_eq!(folder.exchanges("default").len(), 1);
}

#[test]
fn an_empty_body_without_a_length_has_none_at_the_client() {
    let upstream = peer(|peer| {
        if !peer.head().is_empty() {
            peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
        }
    });
    let folder = Arc::new(Folder::new());
    for mode in ["record", "replay"] {
        let gateway = gateway::over(&folder, mode).upstream(&format!("http://{upstream}"));
        let gateway = gateway.start();
        let mut raw = client::raw(gateway.address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
        let head = raw.head();
        assert!(!head.contains("content-length"), "{mode}: {head}");
        assert_eq!(raw.exactly(5).unwrap(), b"0\r\n\r\n", "{mode}: {head}");
        gateway.stop();
    }
}

#[test]
fn json_after_a_byte_order_mark_is_json() {
    const SENT: &str = "\u{feff}{\"password\": \"hunter2-and-more\", \"a\": 1}";
    let origin = origin::new()
        .route("/login", |seen| {
            let text = std::str::from_utf8(&seen.body).unwrap();
            json(&format!("\u{feff}{{\"got\": {}}}", text.len()))
        })
        .start();
    let ask = |client: &Client| client.post("/login", "application/json", SENT);
    let (answer, folder) = both_ways(origin, ask);
    assert!(answer.text().starts_with('\u{feff}'));
    // The secret is found by the name of its member, and members have no order.
    assert!(!folder.text("default").contains("hunter2"));
    let gateway = gateway::replay(&folder).start();
    let other = "\u{feff}{\"a\": 1.0, \"password\": \"another-password\"}";
    let replayed = client::http1(&gateway).post("/login", "application/json", other);
    assert_eq!(replayed, answer);
}

#[test]
fn many_byte_order_marks_are_text() {
    let body = "\u{feff}".repeat(100_000);
    let origin = origin::new()
        .route("/marks", |seen| bytes(seen.body.clone()))
        .start();
    for content_type in [
        "application/json",
        "text/plain",
        "application/x-ndjson",
        "image/png",
    ] {
        let ask = |client: &Client| client.post("/marks", content_type, &body);
        let (answer, _) = record(&origin, ask);
        assert_eq!(answer.body, body, "{content_type}");
    }
    let (answer, folder) = both_ways(origin, |client| client.post("/marks", "", &body));
    assert_eq!(answer.body, body);
    assert_eq!(folder.exchanges("default").len(), 1);
}
