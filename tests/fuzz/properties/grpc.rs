//! gRPC frames: the messages do not depend on how the bytes are split, and encode to the same
//! bytes.

use bytes::Bytes;
use ouli_codec::content_coding::Bounds;
use ouli_codec::grpc::{
    CallBodies, LengthPrefixedMessage, MessageSplitter, decode_message, encode_frame,
    encode_message, read_messages,
};
use ouli_message::stream::{Arrival, Message, MessageKind, Side};

use super::choices::{Choices, Dice};

const LARGEST: u64 = 1 << 10;
const BOUNDS: Bounds = Bounds {
    bytes: LARGEST,
    ratio: 100,
};

/// The input is a choice of encodings and the body of one side.
pub(super) fn check(input: &[u8]) {
    let mut choices = Choices::new(input);
    let encoding = choices.one_of(&[None, Some("gzip"), Some("deflate"), Some("zstd"), Some("x")]);
    let body = choices.rest();
    let mut dice = Dice::of(input);
    let cuts = dice.cut(body, 20);

    let whole = MessageSplitter::new(LARGEST).feed(body);
    let (in_parts, failed) = feed(&cuts);
    assert_eq!(failed, whole.is_err());
    if let Ok(whole) = whole {
        assert_eq!(in_parts, whole);
    }
    let again: Vec<_> = in_parts
        .iter()
        .flat_map(|one| encode_frame(&one.bytes, one.compressed))
        .collect();
    assert!(body.starts_with(&again));

    let bytes = Bytes::copy_from_slice(body);
    let halves = CallBodies {
        client: &bytes,
        client_encoding: encoding,
        server: &bytes,
        server_encoding: encoding,
    };
    let at_once = read_messages(&halves, &[arrival(body.len(), 0)], BOUNDS, 1 << 16);
    let mut end = 0;
    let arrivals: Vec<_> = cuts
        .iter()
        .zip(0..)
        .map(|(piece, at)| {
            end += piece.len();
            arrival(end, at)
        })
        .collect();
    match (at_once, read_messages(&halves, &arrivals, BOUNDS, 1 << 16)) {
        (Ok(at_once), Ok(in_parts)) => {
            assert_eq!(at_once.server_rest, in_parts.server_rest);
            let (at_once, in_parts) = (at_once.messages, in_parts.messages);
            assert_eq!(said(&at_once), said(&in_parts));
            assert!(in_parts.is_sorted_by_key(|turn| turn.at));
            assert!(
                in_parts
                    .iter()
                    .all(|turn| turn.kind.inline_bytes().len() as u64 <= LARGEST)
            );
        }
        (Err(_), Err(_)) => {}
        (one, other) => panic!("{one:?} at once, {other:?} in parts"),
    }

    let text = String::from_utf8_lossy(body);
    let encoded = encode_message(&text);
    assert!(
        encoded.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        "{encoded:?}"
    );
    assert_eq!(decode_message(&encoded), text);
}

fn feed(pieces: &[&[u8]]) -> (Vec<LengthPrefixedMessage>, bool) {
    let mut splitter = MessageSplitter::new(LARGEST);
    let mut messages = Vec::new();
    for piece in pieces {
        match splitter.feed(piece) {
            Ok(more) => messages.extend(more),
            Err(_) => return (messages, true),
        }
    }
    (messages, false)
}

fn arrival(end: usize, at: u64) -> Arrival {
    let (side, end) = (Side::Server, end as u64);
    Arrival { side, end, at }
}

fn said(turns: &[Message]) -> Vec<&MessageKind> {
    turns.iter().map(|turn| &turn.kind).collect()
}
