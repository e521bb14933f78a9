//! Content codings: cassettes contain decoded bodies, clients get encoded ones.

use std::io::Write as _;

use bytes::Bytes;

use super::both_ways;
use crate::support::client::{self, Client};
use crate::support::gateway;
use crate::support::origin::{self, Origin, bytes};

pub(super) const TEXT: &str = "good morning, good morning, good morning\n";

pub(super) fn encoded(coding: &str) -> Bytes {
    let text = TEXT.as_bytes();
    let level = flate2::Compression::default();
    let coded = match coding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        "br" => {
            let mut coded = Vec::new();
            let mut writer = brotli::CompressorWriter::new(&mut coded, 4096, 5, 22);
            writer.write_all(text).unwrap();
            drop(writer);
            coded
        }
        "zstd" => zstd::encode_all(text, 3).unwrap(),
        other => panic!("{other} is no coding"),
    };
    coded.into()
}

fn decoded(coding: &str, coded: &[u8]) -> String {
    use std::io::Read as _;
    let mut text = String::new();
    match coding {
        "gzip" => flate2::read::GzDecoder::new(coded)
            .read_to_string(&mut text)
            .unwrap(),
        "deflate" => flate2::read::ZlibDecoder::new(coded)
            .read_to_string(&mut text)
            .unwrap(),
        "br" => brotli::Decompressor::new(coded, 4096)
            .read_to_string(&mut text)
            .unwrap(),
        "zstd" => {
            let bytes = zstd::decode_all(coded).unwrap();
            text = String::from_utf8(bytes).unwrap();
            text.len()
        }
        other => panic!("{other} is no coding"),
    };
    text
}

fn coding_origin(coding: &'static str) -> Origin {
    let handler = move |_: &origin::Seen| {
        let reply = bytes(encoded(coding)).header("content-type", "text/plain");
        reply.header("content-encoding", coding)
    };
    origin::new().route("/coded", handler).start()
}

#[test]
fn responses_are_stored_decoded_and_replayed_encoded() {
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let origin = coding_origin(coding);
        let gateway = gateway::record(&origin).start();
        let ask = |client: &Client| {
            client
                .ask("GET", "/coded")
                .header("accept-encoding", coding)
        };
        let recorded = ask(&client::http1(&gateway)).send();
        assert_eq!(
            recorded.body,
            encoded(coding),
            "{coding}: the client gets the sent bytes"
        );
        let folder = std::sync::Arc::clone(&gateway.folder);
        gateway.stop();
        origin.stop();
        let exchange = &folder.exchanges("default")[0];
        assert_eq!(exchange["response"]["body"]["text"], TEXT, "{coding}");
        let gateway = gateway::replay(&folder).start();
        let client = client::http1(&gateway);
        let replayed = ask(&client).send();
        assert_eq!(replayed.header("content-encoding"), coding);
        assert_eq!(
            replayed.header("content-length"),
            replayed.body.len().to_string()
        );
        assert_eq!(decoded(coding, &replayed.body), TEXT);
        let plain = client
            .ask("GET", "/coded")
            .header("accept-encoding", "identity")
            .send();
        assert_eq!(
            (plain.header("content-encoding"), plain.text()),
            ("", TEXT),
            "{coding}"
        );
        assert_eq!(plain.header("content-length"), TEXT.len().to_string());
    }
}

#[test]
fn an_encoded_request_is_stored_decoded_and_matched_by_content() {
    let origin = origin::new()
        .route("/in", |_| origin::text("taken"))
        .start();
    let ask = |client: &Client| {
        let ask = client
            .ask("POST", "/in")
            .header("content-type", "text/plain");
        ask.header("content-encoding", "gzip")
            .body(encoded("gzip"))
            .send()
    };
    let (_, folder) = both_ways(origin, ask);
    let exchange = &folder.exchanges("default")[0];
    assert_eq!(exchange["request"]["body"]["text"], TEXT);
}

#[test]
fn accept_encoding_is_limited_to_supported_codings() {
    let origin = origin::simple();
    let gateway = gateway::record(&origin).start();
    let ask = client::http1(&gateway).ask("GET", "/hello");
    ask.header("accept-encoding", "gzip, compress, br").send();
    assert_eq!(origin.seen()[0].headers["accept-encoding"], "gzip, br");
}
