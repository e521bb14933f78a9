//! Uploads with `content-encoding: aws-chunked`, as SDKs send them to Amazon S3.

use super::coded_bytes::gzip;
use crate::support::client::{self, Ask, Client};
use crate::support::gateway;
use crate::support::origin::{self, bytes, text};

const JSON: &str = "{\"item\": \"tea\", \"password\": \"canary-4b8e1f60\"}";

/// A body in chunks of this size, signed if `signed`, with these trailer fields.
fn chunked(body: &[u8], size: usize, signed: bool, trailers: &str) -> Vec<u8> {
    let signature = if signed {
        format!(";chunk-signature={}", "5e".repeat(32))
    } else {
        String::new()
    };
    let mut coded = Vec::new();
    for chunk in body.chunks(size) {
        coded.extend_from_slice(format!("{:x}{signature}\r\n", chunk.len()).as_bytes());
        coded.extend_from_slice(chunk);
        coded.extend_from_slice(b"\r\n");
    }
    coded.extend_from_slice(format!("0{signature}\r\n{trailers}\r\n").as_bytes());
    coded
}

fn put(client: &Client) -> Ask {
    let ask = client
        .ask("PUT", "/bucket/key")
        .header("content-type", "application/json");
    ask.header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
}

#[test]
fn uploads_are_recorded_without_chunks_and_match_in_every_form() {
    let checksum = "x-amz-checksum-crc32:AAAAAA==\r\n";
    let signed = format!("{checksum}x-amz-trailer-signature:{}\r\n", "7a".repeat(32));
    let coded = gzip(JSON, 6);
    let forms = [
        ("aws-chunked", chunked(JSON.as_bytes(), 8, true, &signed)),
        ("aws-chunked", chunked(JSON.as_bytes(), 16, true, "")),
        (
            "aws-chunked",
            chunked(JSON.as_bytes(), 4096, false, checksum),
        ),
        ("gzip,aws-chunked", chunked(&coded, 10, false, checksum)),
        ("aws-chunked, gzip", chunked(&coded, 7, true, &signed)),
        ("aws-chunked", JSON.as_bytes().to_vec()),
        ("identity", JSON.as_bytes().to_vec()),
    ];
    for (coding, body) in &forms {
        let origin = origin::new().route("/*", |_| text("stored")).start();
        let ask = |client: &Client, coding: &str, body: &[u8]| {
            put(client)
                .header("content-encoding", coding)
                .body(body)
                .send()
        };
        let (_, folder) = super::record(&origin, |client| ask(client, coding, body));
        assert_eq!(
            origin.seen()[0].body,
            body,
            "the upstream gets the sent bytes"
        );
        let request = &folder.exchanges("default")[0]["request"];
        assert_eq!(request["body"]["json"]["item"], "tea", "{coding}");
        // The body holds a secret, which its checksum could tell.
        let trailers = request["trailers"].to_string();
        assert!(!trailers.contains("x-amz-checksum-crc32"), "{trailers}");
        let text = folder.text("default");
        assert!(
            !text.contains("canary-4b8e1f60") && !text.contains("7a7a7a"),
            "{text}"
        );
        let gateway = gateway::replay(&folder).start();
        for (coding, body) in &forms {
            let answer = ask(&client::http1(&gateway), coding, body);
            assert_eq!(answer.text(), "stored", "{coding}");
        }
        let other = chunked(b"{\"item\": \"cocoa\"}", 8, false, checksum);
        let answer = ask(&client::http1(&gateway), "aws-chunked", &other);
        assert_eq!((answer.status, answer.header("ouli-error")), (404, "miss"));
    }
}

#[test]
fn malformed_chunks_are_served_and_recorded_only_if_they_can_be_read() {
    let origin = origin::new().route("/*", |_| text("stored")).start();
    for (body, recorded) in [(&b"5\r\nhello"[..], 1), (b"5\r\n\xffello", 0)] {
        let gateway = gateway::record(&origin).start();
        let ask = put(&client::http1(&gateway)).header("content-encoding", "aws-chunked");
        assert_eq!(ask.body(body).send().text(), "stored");
        assert_eq!(gateway.finish().recorded, recorded);
    }
}

#[test]
fn responses_in_chunks_are_replayed_with_the_same_bytes() {
    let body = chunked(b"some text", 4, false, "x-amz-checksum-crc32:AAAAAA==\r\n");
    let sent = body.clone();
    let handler = move |_: &origin::Seen| {
        let reply = bytes(sent.clone()).header("content-type", "text/plain");
        reply.header("content-encoding", "aws-chunked")
    };
    let origin = origin::new().route("/", handler).start();
    let (answer, folder) = super::both_ways(origin, |client| client.get("/"));
    assert_eq!(answer.body, body);
    let exchange = &folder.exchanges("default")[0];
    assert_eq!(exchange["response"]["body"]["text"], "some text");
}
