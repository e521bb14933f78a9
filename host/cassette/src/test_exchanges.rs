//! Sample exchanges for tests.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::{HEADER, encode};
use ouli_message::stream::{
    Chunk, ChunkKind, Ending, Message, MessageKind, Payload, Protocol, Side, Stream, StreamContent,
};
use ouli_message::{CodedBody, Content, Exchange, Fields, Request, Response};

/// A small exchange with most members, different for each number.
pub(crate) fn sample(number: u64) -> Exchange {
    Exchange {
        endpoint: "origin".to_owned(),
        request: Request {
            method: Method::POST,
            authority: "origin.test:8443".to_owned(),
            target: format!("/items/{number}?page=2"),
            fields: fields(&[("accept", b"*/*"), ("x-bytes", b"\xffraw")]),
            body: text(&format!("{{\"number\": {number}}}\n")),
            trailers: Fields::default(),
            truncated_at: None,
        },
        response: Response {
            status: StatusCode::OK,
            fields: fields(&[("set-cookie", b"a=1"), ("set-cookie", b"b=\"2\"")]),
            body: text("one\r\ntwo\n"),
            coded: CodedBody::Derived,
            trailers: fields(&[("x-checksum", b"7")]),
            reason: None,
            omitted: Vec::new(),
        },
        stream: None,
        failure: None,
        tags: vec![("kind".to_owned(), "sample".to_owned())],
    }
}

/// A WebSocket conversation with a message of each kind.
pub(crate) fn conversation(number: u64) -> Exchange {
    let mut exchange = sample(number);
    exchange.request.body = Content::EMPTY;
    exchange.response.body = Content::EMPTY;
    let messages = [
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
    let messages = (0..).zip(messages).map(|(index, (side, kind))| Message {
        side,
        at: 1000 * index + number,
        kind,
    });
    exchange.stream = Some(Stream {
        content: StreamContent::Messages(Protocol::WebSocket, messages.collect()),
        ending: Ending::ServerAborted,
    });
    exchange
}

/// An exchange whose response body has chunks of these sizes.
pub(crate) fn streamed(unit: ChunkKind, body: &[u8], sizes: &[u64]) -> Exchange {
    let mut exchange = sample(1);
    exchange.response.body = Content::Inline(Bytes::copy_from_slice(body));
    let chunks = (0..).zip(sizes).map(|(at, size)| Chunk {
        at: at * 7,
        size: *size,
    });
    exchange.stream = Some(Stream {
        content: StreamContent::Chunks(unit, chunks.collect()),
        ending: Ending::Complete,
    });
    exchange
}

/// The payload of a message.
pub(crate) fn payload(content: &[u8], compressed: bool) -> Payload {
    Payload {
        content: Content::Inline(Bytes::copy_from_slice(content)),
        compressed,
    }
}

/// A close frame.
pub(crate) fn close(code: Option<u16>, reason: &str) -> MessageKind {
    MessageKind::Close {
        code,
        reason: reason.to_owned(),
    }
}

/// An inline body.
pub(crate) fn text(body: &str) -> Content {
    Content::Inline(Bytes::copy_from_slice(body.as_bytes()))
}

/// The bytes of a cassette with these exchanges.
pub(crate) fn cassette(exchanges: &[Exchange]) -> Vec<u8> {
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
