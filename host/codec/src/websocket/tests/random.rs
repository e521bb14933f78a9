//! Random bytes and corrupted conversations: no panics, and the limits hold.

use super::*;
use crate::websocket::Encoder;

fn check(messages: &[ReceivedMessage]) {
    for unit in messages {
        match unit {
            ReceivedMessage::Data { text, content, .. } => {
                assert!(content.len() as u64 <= BOUNDS.message);
                assert!(!text || std::str::from_utf8(content).is_ok());
            }
            ReceivedMessage::Ping(body) | ReceivedMessage::Pong(body) => assert!(body.len() <= 125),
            ReceivedMessage::Close { reason, .. } => assert!(reason.len() <= 123),
        }
    }
}

#[test]
fn random_bytes_cause_at_most_a_violation() {
    let mut dice = Dice(0x5eed);
    let mut units = 0;
    for round in 0..20_000 {
        let size = dice.below(200);
        let mut bytes = dice.bytes(size);
        // Most random bytes are invalid at the first byte, so they start with a valid frame.
        if let [first, second, ..] = &mut bytes[..] {
            *first = [0x81, 0x01, 0x82, 0x89, 0x88, 0xc1, 0xc2, 0x41][round % 8];
            *second &= 0x1f;
        }
        let deflate = (round % 3 > 0).then(DeflateParams::default);
        let sender = [Side::Server, Side::Client][round / 8 % 2];
        if sender == Side::Client && bytes.len() > 1 {
            bytes[1] |= 0x80;
        }
        let whole = decode_chunks(sender, deflate, [&bytes[..]]);
        let step = 1 + dice.below(9);
        assert_eq!(decode_chunks(sender, deflate, bytes.chunks(step)), whole);
        check(&whole.0);
        units += whole.0.len();
    }
    assert!(units > 1000, "{units}");
}

#[test]
fn corrupted_conversations_cause_at_most_a_violation() {
    let mut dice = Dice(77);
    let (mut good, mut broken) = (0, 0);
    for round in 0..2_000 {
        let deflate = (round % 2 > 0).then(|| DeflateParams {
            server_no_context_takeover: round % 4 > 1,
            ..DeflateParams::default()
        });
        let mut encoder = Encoder::new(Side::Server, deflate);
        let mut bytes = Vec::new();
        for _ in 0..1 + dice.below(6) {
            let size = dice.below(400);
            let content = dice.prose(size);
            let part = match dice.below(5) {
                0 => encoder.ping(&dice.bytes(9), None),
                1 => encoder.message(false, &dice.bytes(size), true, None),
                _ => encoder.message(true, &content, true, None),
            };
            bytes.extend_from_slice(&part);
        }
        bytes.extend_from_slice(&encoder.close(Some(1000), "bye", None));
        if round % 5 > 0 {
            let at = dice.below(bytes.len());
            bytes[at] ^= 1 << dice.below(8);
        }
        let whole = decode_chunks(Side::Server, deflate, [&bytes[..]]);
        let step = 1 + dice.below(30);
        assert_eq!(
            decode_chunks(Side::Server, deflate, bytes.chunks(step)),
            whole
        );
        check(&whole.0);
        match whole.1 {
            None => good += 1,
            Some(_) => broken += 1,
        }
    }
    assert!(good > 400 && broken > 200, "{good} good, {broken} broken");
}
