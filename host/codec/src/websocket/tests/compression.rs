//! Compressed messages: the examples of RFC 7692, section 7.2.3, round trips, decompression bombs.

use super::*;
use crate::websocket::Encoder;

fn compressed(bytes: &[u8]) -> Outcome {
    decode(Side::Server, Some(DeflateParams::default()), bytes)
}

#[test]
fn decodes_the_examples_of_the_rfc() {
    let hello = || message(true, b"Hello", true);
    let cases: [(&str, &[u8], Vec<ReceivedMessage>); 7] = [
        (
            "one block",
            b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00",
            vec![hello()],
        ),
        (
            "fragments",
            b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00",
            vec![hello()],
        ),
        (
            "a shared window",
            b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00",
            vec![hello(), hello()],
        ),
        (
            "no compression",
            b"\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
            vec![hello()],
        ),
        (
            "a last block",
            b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
            vec![hello()],
        ),
        (
            "two blocks",
            b"\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
            vec![hello()],
        ),
        (
            "an empty message",
            b"\xc1\x01\x00",
            vec![message(true, b"", true)],
        ),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(compressed(bytes), (expected, None), "{name}");
    }
}

#[test]
fn encodes_the_examples_of_the_rfc() {
    let mut encoder = Encoder::new(Side::Server, Some(DeflateParams::default()));
    let first = encoder.message(true, b"Hello", true, None);
    assert_eq!(first, &b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"[..]);
    let empty = encoder.message(true, b"", true, None);
    assert_eq!(empty, &b"\xc1\x01\x00"[..]);
    let wished_plain = encoder.message(true, b"Hello", false, None);
    assert_eq!(wished_plain, &b"\x81\x05Hello"[..]);
}

#[test]
fn final_blocks_keep_the_window() {
    // A final block, then a block that refers to the bytes before it.
    let last = b"\xc1\x07\xf3\x48\xcd\xc9\xc9\x07\x00";
    let shared = b"\xc1\x05\xf2\x00\x11\x00\x00";
    let within = b"\xc1\x0c\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x00\x11\x00\x00";
    let hello = || message(true, b"Hello", true);
    let bytes = [&last[..], shared, shared].concat();
    assert_eq!(compressed(&bytes), (vec![hello(), hello(), hello()], None));
    let twice = message(true, b"HelloHello", true);
    assert_eq!(compressed(within), (vec![twice], None));
    let many = [&b"\xc2\x7e\x40\x00"[..], &b"\x03\x00".repeat(8192)].concat();
    let (_, violation) = decode_chunks(Side::Server, Some(DeflateParams::default()), [&many[..]]);
    assert_eq!(violation.unwrap().code, 1007);
}

#[test]
fn rejects_corrupt_messages() {
    let cases: [(&str, &[u8]); 6] = [
        ("a reserved kind of block", b"\xc1\x01\x07"),
        (
            "a wrong complement of a length",
            b"\xc1\x05\x00\x05\x00\x00\x00",
        ),
        (
            "a reference before the first byte",
            b"\xc1\x05\xf2\x00\x11\x00\x00",
        ),
        ("an end within a block", b"\xc1\x04\xf2\x48\xcd\xc9"),
        (
            "an end within plain bytes",
            b"\xc1\x08\x00\x0f\x00\xf0\xff\x48\x65\x6c",
        ),
        ("no UTF-8", b"\xc1\x08\x00\x02\x00\xfd\xff\xff\xff\x00"),
    ];
    for (name, bytes) in cases {
        let deflate = Some(DeflateParams::default());
        assert_eq!(
            violation(Side::Server, deflate, bytes),
            (0, Some(1007)),
            "{name}"
        );
    }
}

#[test]
fn no_context_takeover_clears_the_window() {
    let deflate = DeflateParams {
        server_no_context_takeover: true,
        ..DeflateParams::default()
    };
    let bytes = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00";
    assert_eq!(
        violation(Side::Server, Some(deflate), bytes),
        (1, Some(1007))
    );
}

#[test]
fn all_parameters_survive_a_round_trip() {
    let mut dice = Dice(11);
    let contents: Vec<_> = [0, 1, 5, 300, 0, 5000, 40_000, 100_000, 64, 64]
        .into_iter()
        .flat_map(|size| [dice.prose(size), dice.bytes(size)])
        .collect();
    for bits in 8..=15 {
        for flags in 0..4 {
            let deflate = DeflateParams {
                client_no_context_takeover: flags & 1 == 1,
                server_no_context_takeover: flags & 2 == 2,
                client_max_window_bits: bits,
                server_max_window_bits: 23 - bits,
            };
            for (sender, key, own) in [
                (Side::Client, Some(KEY), bits),
                (Side::Server, None, 23 - bits),
            ] {
                let mut encoder = Encoder::new(sender, Some(deflate));
                let mut bytes = Vec::new();
                let mut expected = Vec::new();
                for (at, content) in contents.iter().enumerate() {
                    let (text, wished) = (at % 2 == 0, at % 5 != 4);
                    bytes.extend_from_slice(&encoder.message(text, content, wished, key));
                    expected.push(message(text, content, wished && own > 8));
                }
                for step in [977, bytes.len()] {
                    let (messages, violation) =
                        decode_chunks(sender, Some(deflate), bytes.chunks(step));
                    assert_eq!(violation, None, "{deflate:?}");
                    assert!(messages == expected, "{deflate:?}");
                }
            }
        }
    }
}

#[test]
fn decodes_compressed_fragments_split_at_every_byte() {
    let deflate = Some(DeflateParams::default());
    let content = Dice(3).prose(300);
    let whole = Encoder::new(Side::Server, deflate).message(true, &content, true, None);
    let skip = if whole[1] == 126 { 4 } else { 2 };
    let body = &whole[skip..];
    for at in 0..=body.len() {
        let (first, second) = body.split_at(at);
        let mut bytes = vec![0x41, 0x7e, 0, first.len() as u8];
        bytes.extend_from_slice(first);
        bytes.extend_from_slice(b"\x89\x01p");
        bytes.extend_from_slice(&[0x80, 0x7e, 0, second.len() as u8]);
        bytes.extend_from_slice(second);
        let (messages, violation) = decode(Side::Server, deflate, &bytes);
        assert_eq!(violation, None);
        let ping = ReceivedMessage::Ping(b"p".to_vec().into());
        assert_eq!(messages, [ping, message(true, &content, true)]);
    }
}

#[test]
fn decompression_bombs_stop_at_the_limits() {
    let deflate = Some(DeflateParams::default());
    let bomb = |size: usize| {
        let zeros = vec![0; size];
        Encoder::new(Side::Server, deflate).message(false, &zeros, true, None)
    };
    let outcome = |bytes: &[u8], bounds| {
        let mut input = BytesMut::from(bytes);
        let messages = Decoder::new(Side::Server, bounds, deflate).decode(&mut input);
        messages.map_err(|violation| violation.code)
    };
    let wide = Bounds {
        ratio: 2000,
        ..BOUNDS
    };
    // Too large.
    assert_eq!(outcome(&bomb(5 << 20), wide), Err(1009));
    assert!(matches!(outcome(&bomb(4 << 20), wide), Ok(Some(_))));
    // Above the ratio, once the size exceeds the threshold.
    assert_eq!(outcome(&bomb(2 << 20), BOUNDS), Err(1009));
    assert!(matches!(outcome(&bomb(1 << 20), BOUNDS), Ok(Some(_))));
}

/// A decoder that pauses decodes the same, and no call gives much more than its step.
#[test]
fn a_decoder_pauses_within_a_large_message() {
    const STEP: usize = 64 << 10;
    let bounds = Bounds {
        frame: 1 << 20,
        message: 16 << 20,
        ratio: 2000,
    };
    let content = vec![b'x'; 8 << 20];
    let mut encoder = Encoder::new(Side::Server, Some(DeflateParams::default()));
    let mut bytes = encoder.message(true, &content, true, None).to_vec();
    assert!(bytes.len() < 16 << 10, "one read of a socket has it");
    bytes.extend(encoder.message(true, b"Hello", true, None));
    let deflate = Some(DeflateParams::default());
    let mut decoder = Decoder::new(Side::Server, bounds, deflate).with_step(STEP);
    let (mut input, mut decoded) = (BytesMut::from(&bytes[..]), Vec::new());
    let (mut before, mut pauses) = (0, 0);
    loop {
        let found = decoder.decode(&mut input).unwrap();
        let is_paused = found.is_none() && decoder.is_paused();
        let size = match &found {
            Some(ReceivedMessage::Data { content, .. }) => content.len(),
            _ => decoder.buffered() / 2,
        };
        assert!(
            size.saturating_sub(before) <= STEP + (1 << 20),
            "{size} after {before}"
        );
        before = if found.is_some() {
            0
        } else {
            decoder.buffered()
        };
        pauses += usize::from(is_paused);
        match found {
            Some(message) => decoded.push(message),
            None if is_paused => {}
            None => break,
        }
    }
    assert_eq!(decoded.len(), 2);
    assert_eq!(decoded[0], message(true, &content, true));
    assert_eq!(decoded[1], message(true, b"Hello", true));
    assert!(pauses > 16, "{pauses} pauses");
}

#[test]
fn a_decoder_pauses_between_fragments() {
    let deflate = Some(DeflateParams::default());
    let mut encoder = Encoder::new(Side::Server, deflate);
    let whole = encoder.message(true, &vec![b'x'; 1 << 20], true, None);
    // The head of a whole frame of this size has four bytes.
    let body = &whole[4..];
    let mut bytes = Vec::new();
    for (number, part) in body.chunks(100).enumerate() {
        let first = if number == 0 { 0x41 } else { 0x00 };
        let last = if (number + 1) * 100 >= body.len() {
            0x80
        } else {
            0
        };
        bytes.extend([first | last, u8::try_from(part.len()).unwrap()]);
        bytes.extend(part);
    }
    let bounds = Bounds {
        ratio: 2000,
        ..BOUNDS
    };
    let mut decoder = Decoder::new(Side::Server, bounds, deflate).with_step(64 << 10);
    let (mut input, mut pauses) = (BytesMut::from(&bytes[..]), 0);
    let found = loop {
        match decoder.decode(&mut input).unwrap() {
            Some(found) => break found,
            None => assert!(decoder.is_paused()),
        }
        pauses += 1;
    };
    assert_eq!(found, message(true, &vec![b'x'; 1 << 20], true));
    assert!(pauses > 4, "{pauses} pauses");
}
