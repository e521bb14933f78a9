//! Writing cassettes: each exchange is read back unchanged, and one with a flipped bit is not taken
//! for the original.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use ouli_cassette::{HEADER, decode, encode};
use ouli_message::failure::{Failure, FailureCause, FailureKind, Phase};
use ouli_message::stream::{
    Chunk, ChunkKind, Ending, Message, MessageKind, Payload, Protocol, Side, Stream, StreamContent,
};
use ouli_message::{CodedBody, Content, Exchange, Fields, Request, Response};

use super::choices::{Choices, Dice};

/// The input is the choices that make one exchange.
pub(super) fn check(input: &[u8]) {
    let mut choices = Choices::new(input);
    let exchange = exchange(&mut choices);
    let mut written = HEADER.as_bytes().to_vec();
    encode(&mut written, 1, &exchange, "a.bodies");
    let read = decode(&Bytes::copy_from_slice(&written)).expect("the header is valid");
    assert!(
        read.torn_tail.is_none() && read.damage.is_empty(),
        "{read:?}"
    );
    let [recorded] = &read.exchanges[..] else {
        panic!("one exchange was written: {read:?}");
    };
    assert_eq!(recorded.exchange, exchange);
    assert!(!recorded.edited && recorded.ordinal == 1);

    let mut dice = Dice::of(input);
    let at = HEADER.len() + dice.below(written.len() - HEADER.len());
    written[at] ^= 1 << dice.below(8);
    let damaged = decode(&written.into()).expect("the header is unchanged");
    let passed = damaged.exchanges.iter().find(|one| !one.edited);
    assert!(
        passed.is_none_or(|passed| timeless(&passed.exchange) == timeless(&exchange)),
        "a flipped bit at {at} is not detected"
    );
}

/// The exchange without the values that no digest covers: times, and the name of a stored body
/// without bytes.
fn timeless(exchange: &Exchange) -> Exchange {
    let mut exchange = exchange.clone();
    for content in exchange.contents_mut() {
        if content.size() == 0 {
            *content = Content::EMPTY;
        }
    }
    if let Some(failure) = &mut exchange.failure {
        failure.at = 0;
    }
    match exchange.stream.as_mut().map(|stream| &mut stream.content) {
        Some(StreamContent::Chunks(_, pieces)) => pieces.iter_mut().for_each(|piece| piece.at = 0),
        Some(StreamContent::Messages(_, turns)) => turns.iter_mut().for_each(|turn| turn.at = 0),
        None => {}
    }
    exchange
}

fn exchange(choices: &mut Choices<'_>) -> Exchange {
    let stream = choices.flag().then(|| choices.below(4));
    let turns = stream.is_some_and(|kind| kind > 1);
    let request = Request {
        method: choices
            .one_of(&[Method::GET, Method::POST, Method::DELETE].each_ref())
            .clone(),
        authority: choices.text(),
        target: choices.text(),
        fields: fields(choices),
        body: if turns {
            Content::EMPTY
        } else {
            content(choices)
        },
        trailers: fields(choices),
        truncated_at: choices.flag().then(|| choices.below(1000) as u64),
    };
    let status = StatusCode::from_u16(200 + u16::from(choices.byte()));
    let mut response = Response {
        status: status.expect("from 200 to 455"),
        fields: fields(choices),
        body: Content::EMPTY,
        coded: CodedBody::Derived,
        trailers: fields(choices),
        reason: None,
        omitted: Vec::new(),
    };
    let stream = match stream {
        None => {
            response.body = content(choices);
            None
        }
        Some(kind @ (0 | 1)) => Some(pieces(kind == 0, choices, &mut response)),
        Some(kind) => Some(conversation(kind == 2, choices)),
    };
    let tags = (0..choices.below(3)).map(|tag| (format!("tag-{tag}"), choices.text()));
    let tags: Vec<_> = tags.collect();
    let failure = choices.flag().then(|| failure(choices));
    let unanswered = failure.filter(|failure| failure.cause.is_before_response());
    let (response, stream) = match unanswered {
        Some(failure) => (Response::absent(&failure.cause), None),
        None => (response, stream),
    };
    Exchange {
        endpoint: "api".to_owned(),
        request,
        response,
        stream,
        failure,
        tags,
    }
}

fn failure(choices: &mut Choices<'_>) -> Failure {
    let fault = FailureCause {
        phase: choices.one_of(&Phase::ALL),
        kind: choices.one_of(&FailureKind::ALL),
        code: choices.flag().then(|| u32::from(choices.byte())),
    };
    let at = choices.number();
    Failure { cause: fault, at }
}

fn pieces(events: bool, choices: &mut Choices<'_>, response: &mut Response) -> Stream {
    let unit = if events {
        ChunkKind::Event
    } else {
        choices.one_of(&[ChunkKind::Line, ChunkKind::Raw])
    };
    let (mut body, mut pieces, mut at) = (Vec::new(), Vec::new(), 0);
    for _ in 0..1 + choices.below(4) {
        let mut bytes = choices.bytes().to_vec();
        match unit {
            ChunkKind::Event => bytes.extend_from_slice(b"\n\n"),
            ChunkKind::Line => bytes.push(b'\n'),
            ChunkKind::Raw => bytes.push(b'.'),
        }
        body.extend_from_slice(&bytes);
        at += choices.number();
        let size = bytes.len() as u64;
        pieces.push(Chunk { at, size });
    }
    response.body = Content::Inline(body.into());
    Stream {
        content: StreamContent::Chunks(unit, pieces),
        ending: ending(choices),
    }
}

fn conversation(websocket: bool, choices: &mut Choices<'_>) -> Stream {
    let mut turns: Vec<Message> = Vec::new();
    let mut at = 0;
    for _ in 0..choices.below(6) {
        at += choices.number();
        let side = choices.one_of(&[Side::Client, Side::Server]);
        let said = if websocket {
            said(choices)
        } else {
            MessageKind::Binary(words(choices))
        };
        turns.push(Message {
            side,
            at,
            kind: said,
        });
    }
    let protocol = if websocket {
        Protocol::WebSocket
    } else {
        let (side, said) = (Side::Client, MessageKind::End);
        turns.push(Message {
            side,
            at,
            kind: said,
        });
        Protocol::Grpc
    };
    Stream {
        content: StreamContent::Messages(protocol, turns),
        ending: ending(choices),
    }
}

fn said(choices: &mut Choices<'_>) -> MessageKind {
    match choices.below(5) {
        0 => MessageKind::Text(Payload {
            content: Content::Inline(choices.text().into()),
            compressed: choices.flag(),
        }),
        1 => MessageKind::Binary(words(choices)),
        2 => MessageKind::Ping(control(choices)),
        3 => MessageKind::Pong(control(choices)),
        _ if choices.flag() => MessageKind::Close {
            code: Some(1000),
            reason: {
                let text = choices.text();
                text[..text.floor_char_boundary(MAX_REASON)].to_owned()
            },
        },
        _ => MessageKind::Close {
            code: None,
            reason: String::new(),
        },
    }
}

/// The most that a control frame holds, and beside the code of a close (RFC 6455, section 5.5).
const MAX_CONTROL: usize = 125;
const MAX_REASON: usize = 123;

fn control(choices: &mut Choices<'_>) -> Bytes {
    let bytes = choices.bytes();
    Bytes::copy_from_slice(&bytes[..bytes.len().min(MAX_CONTROL)])
}

fn words(choices: &mut Choices<'_>) -> Payload {
    Payload {
        content: content(choices),
        compressed: choices.flag(),
    }
}

fn ending(choices: &mut Choices<'_>) -> Ending {
    choices.one_of(&[
        Ending::Complete,
        Ending::ClientAborted,
        Ending::ServerAborted,
    ])
}

fn content(choices: &mut Choices<'_>) -> Content {
    match choices.below(8) {
        0 => Content::Stored {
            digest: format!("{:064x}", choices.number()),
            size: choices.number(),
        },
        // A body that looks like the next exchange.
        1 => Content::Inline([b"\n{\n  \"exchange\": 2", choices.bytes()].concat().into()),
        _ => Content::Inline(Bytes::copy_from_slice(choices.bytes())),
    }
}

fn fields(choices: &mut Choices<'_>) -> Fields {
    const NAMES: [&str; 4] = ["content-type", "x-a", "etag", "set-cookie"];
    let mut fields = Fields::default();
    for _ in 0..choices.below(4) {
        let name = HeaderName::from_static(choices.one_of(&NAMES));
        if let Ok(value) = HeaderValue::from_bytes(choices.bytes()) {
            fields.push(name, value);
        }
    }
    fields
}
