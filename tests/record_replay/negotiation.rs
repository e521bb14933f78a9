//! The form of an encoded response that a client gets (RFC 9110, section 12.5.3).

use std::sync::Arc;

use super::coded_bytes::gzip;
use super::codings::TEXT;
use crate::support::client::{self, Answer, Client};
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin::{self, Reply, bytes, status};

fn described(reply: Reply) -> Reply {
    let reply = reply.header("content-type", "text/plain");
    let reply = reply
        .header("content-encoding", "gzip")
        .header("etag", "\"1\"");
    let reply = reply
        .header("content-md5", "AAAA")
        .header("digest", "md5=AAAA");
    let reply = reply.header("repr-digest", "md5=:AAAA:");
    reply
        .header("content-digest", "md5=:AAAA:")
        .header("accept-ranges", "bytes")
}

fn ask(client: &Client, (method, target): (&str, &str), accept: Option<&str>) -> Answer {
    let ask = client.ask(method, target);
    match accept {
        Some(accept) => ask.header("accept-encoding", accept).send(),
        None => ask.send(),
    }
}

/// Records one request with this `accept-encoding`.
fn record(request: (&str, &str), accept: Option<&str>) -> (Answer, Arc<Folder>) {
    let origin = origin::new()
        .route("/text", |_| described(bytes(gzip(TEXT, 9))))
        .route("/part", |_| {
            let body = gzip(TEXT, 9);
            let range = format!("bytes 0-{}/{}", body.len() - 1, body.len());
            described(bytes(body))
                .status(206)
                .header("content-range", &range)
        })
        .route("/unchanged", |_| described(status(304)))
        .start();
    super::record(&origin, |client| ask(client, request, accept))
}

const DIGESTS: [&str; 4] = ["content-md5", "digest", "repr-digest", "content-digest"];

#[test]
fn a_client_that_does_not_accept_a_negotiated_coding_gets_the_plain_form() {
    let request = ("GET", "/text");
    let (recorded, folder) = record(request, Some("gzip, br"));
    let gateway = gateway::replay(&folder).start();
    for client in [client::http1(&gateway), client::http2(&gateway)] {
        for accept in [None, Some(""), Some("identity"), Some("br, gzip;q=0")] {
            let plain = ask(&client, request, accept);
            assert_eq!(plain.text(), TEXT, "{accept:?}");
            assert_eq!(plain.header("content-length"), TEXT.len().to_string());
            assert_eq!(plain.header("etag"), "W/\"1\"");
            assert_eq!(plain.header("vary"), "accept-encoding");
            for name in DIGESTS.iter().chain(&["content-encoding", "accept-ranges"]) {
                assert_eq!(plain.header(name), "", "{name}");
            }
        }
        // Without `identity` only the recorded coding can be sent.
        for accept in ["gzip", "*", "br, identity;q=0", "*;q=0"] {
            let coded = ask(&client, request, Some(accept));
            assert_eq!(coded, recorded, "{accept}");
        }
    }
}

#[test]
fn a_coding_that_was_not_asked_for_is_sent_to_every_client() {
    let request = ("GET", "/text");
    for accepted in [None, Some("identity"), Some("gzip;q=0, *")] {
        let (recorded, folder) = record(request, accepted);
        let gateway = gateway::replay(&folder).start();
        for accept in [None, Some("identity"), Some("gzip"), Some("br")] {
            let replayed = ask(&client::http1(&gateway), request, accept);
            assert_eq!(replayed, recorded, "{accepted:?} {accept:?}");
        }
    }
}

#[test]
fn responses_without_a_body_are_negotiated_as_their_heads_say() {
    for request in [("HEAD", "/text"), ("GET", "/unchanged")] {
        let (recorded, folder) = record(request, Some("gzip"));
        let gateway = gateway::replay(&folder).start();
        let client = client::http1(&gateway);
        assert_eq!(ask(&client, request, Some("gzip")), recorded, "{request:?}");
        let plain = ask(&client, request, None);
        assert!(plain.body.is_empty());
        assert_eq!(plain.status, recorded.status);
        assert_eq!(plain.header("etag"), "W/\"1\"");
        for name in DIGESTS
            .iter()
            .chain(&["content-encoding", "content-length"])
        {
            assert_eq!(plain.header(name), "", "{request:?} {name}");
        }
    }
}

#[test]
fn a_range_is_a_part_of_the_coded_bytes() {
    let request = ("GET", "/part");
    let (recorded, folder) = record(request, Some("gzip"));
    let gateway = gateway::replay(&folder).start();
    assert_eq!(ask(&client::http1(&gateway), request, None), recorded);
}
