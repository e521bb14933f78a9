//! Tests that need more than one file of the folder.

mod append;
mod damage;
mod round_trip;
mod store;
mod writer;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::{HEADER, encode};
use crate::exchange::{Content, Exchange, Fields, Request, Response};

/// A small exchange with most members, different for each number.
pub(super) fn sample(number: u64) -> Exchange {
    Exchange {
        endpoint: "origin".to_owned(),
        request: Request {
            method: Method::POST,
            authority: "origin.test:8443".to_owned(),
            target: format!("/items/{number}?page=2"),
            fields: fields(&[("accept", b"*/*"), ("x-bytes", b"\xffraw")]),
            body: text(&format!("{{\"number\": {number}}}\n")),
            trailers: Fields::default(),
        },
        response: Response {
            status: StatusCode::OK,
            fields: fields(&[("set-cookie", b"a=1"), ("set-cookie", b"b=\"2\"")]),
            body: text("one\r\ntwo\n"),
            trailers: fields(&[("x-checksum", b"7")]),
        },
        stream: None,
        tags: vec![("kind".to_owned(), "sample".to_owned())],
    }
}

/// A body in memory.
pub(super) fn text(body: &str) -> Content {
    Content::Inline(Bytes::copy_from_slice(body.as_bytes()))
}

/// The bytes of a cassette of these exchanges.
pub(super) fn cassette(exchanges: &[Exchange]) -> Vec<u8> {
    let mut out = HEADER.as_bytes().to_vec();
    for (ordinal, exchange) in (1..).zip(exchanges) {
        encode(&mut out, ordinal, exchange, "name.bodies");
    }
    out
}

fn fields(pairs: &[(&str, &[u8])]) -> Fields {
    pairs
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_bytes(value).unwrap(),
            )
        })
        .collect()
}
