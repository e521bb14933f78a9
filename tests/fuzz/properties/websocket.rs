//! WebSocket frames: the messages do not depend on how the bytes are split, stay within the bounds,
//! and can be encoded again.

use bytes::BytesMut;
use ouli_codec::websocket::{
    Bounds, Decoder, DeflateParams, Encoder, ReceivedMessage, Violation, is_close_code,
    read_transcript,
};
use ouli_message::stream::{Arrival, Message, MessageKind, Side};

use super::choices::{Choices, Dice};

const BOUNDS: Bounds = Bounds {
    frame: 4 << 10,
    message: 8 << 10,
    ratio: 100,
};

/// The input is the negotiated parameters, the sender and its bytes.
pub(super) fn check(input: &[u8]) {
    let mut choices = Choices::new(input);
    let sender = choices.one_of(&[Side::Server, Side::Client]);
    let deflate = choices.flag().then(|| DeflateParams {
        client_no_context_takeover: choices.flag(),
        server_no_context_takeover: choices.flag(),
        client_max_window_bits: 8 + choices.byte() % 8,
        server_max_window_bits: 8 + choices.byte() % 8,
    });
    let bytes = choices.rest();
    let mut dice = Dice::of(input);
    let cuts = dice.cut(bytes, 12);

    let whole = decode(sender, deflate, &[bytes]);
    assert_eq!(
        decode(sender, deflate, &cuts),
        whole,
        "the messages depend on the split"
    );
    for heard in &whole.0 {
        is_within_bounds(heard);
    }
    again(&whole.0, sender, deflate);
    let unchecked = Decoder::new(sender, BOUNDS, deflate).without_content_checks();
    let unchecked = decode_with(unchecked, &[bytes]);
    assert!(unchecked.0.starts_with(&whole.0), "{unchecked:?}");
    let outcome = match sender {
        Side::Client => &whole,
        Side::Server => &unchecked,
    };
    as_turns((sender, deflate), bytes, &cuts, outcome);
}

type Outcome = (Vec<ReceivedMessage>, Option<Violation>);

fn decode(sender: Side, deflate: Option<DeflateParams>, pieces: &[&[u8]]) -> Outcome {
    decode_with(Decoder::new(sender, BOUNDS, deflate), pieces)
}

fn decode_with(mut decoder: Decoder, pieces: &[&[u8]]) -> Outcome {
    let (mut input, mut heard) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(unit)) => heard.push(unit),
                Ok(None) => break,
                Err(violation) => {
                    assert_eq!(decoder.decode(&mut input), Err(violation));
                    assert!(matches!(violation.code, 1002 | 1007 | 1009));
                    return (heard, Some(violation));
                }
            }
        }
        assert!(input.len() < 14, "{} bytes are left", input.len());
    }
    (heard, None)
}

fn is_within_bounds(heard: &ReceivedMessage) {
    match heard {
        ReceivedMessage::Data { text, content, .. } => {
            assert!(content.len() as u64 <= BOUNDS.message);
            assert!(!text || std::str::from_utf8(content).is_ok());
        }
        ReceivedMessage::Ping(body) | ReceivedMessage::Pong(body) => assert!(body.len() <= 125),
        ReceivedMessage::Close { code, reason } => {
            assert!(reason.len() <= 123 && code.is_none_or(is_close_code));
        }
    }
}

/// The messages are the same after they are encoded and decoded again.
fn again(heard: &[ReceivedMessage], sender: Side, deflate: Option<DeflateParams>) {
    let mut encoder = Encoder::new(sender, deflate);
    let mask = (sender == Side::Client).then_some([1, 2, 3, 4]);
    let mut bytes = Vec::new();
    for unit in heard {
        let frame = match unit {
            // The encoder may write a large message as a frame above these bounds.
            ReceivedMessage::Data { content, .. } if content.len() > 1 << 10 => return,
            ReceivedMessage::Data {
                text,
                content,
                compressed,
            } => encoder.message(*text, content, *compressed, mask),
            ReceivedMessage::Ping(body) => encoder.ping(body, mask),
            ReceivedMessage::Pong(body) => encoder.pong(body, mask),
            ReceivedMessage::Close { code, reason } => encoder.close(*code, reason, mask),
        };
        bytes.extend_from_slice(&frame);
    }
    let (once_more, violation) = decode(sender, deflate, &[&bytes]);
    assert_eq!(violation, None);
    let said = |heard: &[ReceivedMessage]| -> Vec<MessageKind> {
        heard.iter().cloned().map(plain).collect()
    };
    assert_eq!(said(&once_more), said(heard));
}

/// The message without the compression flag, since a sender need not compress.
fn plain(heard: ReceivedMessage) -> MessageKind {
    let mut said = MessageKind::from(heard);
    if let Some(words) = said.payload_mut() {
        words.compressed = false;
    }
    said
}

/// The transcript does not depend on the arrival times.
fn as_turns(
    (sender, deflate): (Side, Option<DeflateParams>),
    bytes: &[u8],
    cuts: &[&[u8]],
    (heard, violation): &Outcome,
) {
    let mut end = 0;
    let arrivals: Vec<_> = cuts
        .iter()
        .zip(0..)
        .map(|(piece, at)| {
            end += piece.len() as u64;
            let side = sender;
            Arrival { side, end, at }
        })
        .collect();
    let (client, server): (&[u8], &[u8]) = match sender {
        Side::Client => (bytes, &[]),
        Side::Server => (&[], bytes),
    };
    let told = read_transcript(client, server, &arrivals, deflate, BOUNDS, 1 << 20);
    let said = |turns: &[Message]| -> Vec<MessageKind> {
        turns.iter().map(|it| it.kind.clone()).collect()
    };
    let mut expected: Vec<_> = heard.iter().cloned().map(MessageKind::from).collect();
    if let Some(Violation { code, reason }) = violation.filter(|_| sender == Side::Client) {
        let reason = reason.to_owned();
        expected.push(MessageKind::Invalid { code, reason });
    }
    let all = told
        .violations
        .iter()
        .all(|fault| Some(fault.violation) == *violation);
    assert!(said(&told.messages) == expected || !all, "{told:?}");
    assert!(told.messages.is_sorted_by_key(|turn| turn.at));
    let replayed = told.into_replay_order();
    assert!(replayed.is_sorted_by_key(|turn| turn.at));
}
