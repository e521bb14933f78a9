//! Tests that need more than one file of the folder.

mod append;
mod damage;
mod every_byte;
mod failures;
mod round_trip;
mod store;
mod stream_damage;
mod stream_writer;
mod streams;
mod writer;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::encode;
use crate::format::encode::HEADER;
use ouli_message::stream::{
    Chunk, ChunkKind, Ending, Message, MessageKind, Payload, Protocol, Side, Stream, StreamContent,
};
use ouli_message::{Content, Exchange, Fields, Request, Response};

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
        failure: None,
        tags: vec![("kind".to_owned(), "sample".to_owned())],
    }
}

/// A conversation with a turn of each kind.
pub(super) fn conversation(number: u64) -> Exchange {
    let mut exchange = sample(number);
    exchange.request.body = Content::EMPTY;
    exchange.response.body = Content::EMPTY;
    let said = [
        (Side::Client, MessageKind::Text(payload(b"hello", false))),
        (
            Side::Server,
            MessageKind::Text(payload(b" {\"a\":  [1]}\n", false)),
        ),
        (
            Side::Server,
            MessageKind::Binary(payload(b"\xff\x00", true)),
        ),
        (Side::Client, MessageKind::Text(payload(b"", true))),
        (Side::Server, MessageKind::Text(payload(b"one\ntwo", false))),
        (Side::Client, MessageKind::Ping(Bytes::from_static(b"p"))),
        (Side::Server, MessageKind::Pong(Bytes::from_static(b"\xfe"))),
        (Side::Server, close(None, "")),
        (Side::Client, close(Some(1000), "bye")),
        (Side::Client, MessageKind::End),
    ];
    let turns = (0..).zip(said).map(|(index, (side, said))| Message {
        side,
        at: 1000 * index + number,
        kind: said,
    });
    exchange.stream = Some(Stream {
        content: StreamContent::Messages(Protocol::WebSocket, turns.collect()),
        ending: Ending::ServerAborted,
    });
    exchange
}

/// A response that came in pieces of these sizes.
pub(super) fn streamed(unit: ChunkKind, body: &[u8], sizes: &[u64]) -> Exchange {
    let mut exchange = sample(1);
    exchange.response.body = Content::Inline(Bytes::copy_from_slice(body));
    let pieces = (0..).zip(sizes).map(|(at, size)| Chunk {
        at: at * 7,
        size: *size,
    });
    exchange.stream = Some(Stream {
        content: StreamContent::Chunks(unit, pieces.collect()),
        ending: Ending::Complete,
    });
    exchange
}

/// The content of a message.
pub(super) fn payload(content: &[u8], compressed: bool) -> Payload {
    Payload {
        content: Content::Inline(Bytes::copy_from_slice(content)),
        compressed,
    }
}

/// A close frame.
pub(super) fn close(code: Option<u16>, reason: &str) -> MessageKind {
    MessageKind::Close {
        code,
        reason: reason.to_owned(),
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
