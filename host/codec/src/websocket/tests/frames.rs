//! Single frames: the examples of RFC 6455, section 5.7, and protocol violations.

use super::*;
use crate::websocket::{Encoder, frame, is_close_code};

#[test]
fn decodes_the_examples_of_the_rfc() {
    let hello = b"Hello";
    let ping = ReceivedMessage::Ping(hello.to_vec().into());
    let pong = ReceivedMessage::Pong(hello.to_vec().into());
    let cases: [(Side, &[u8], ReceivedMessage); 5] = [
        (Side::Server, b"\x81\x05Hello", text("Hello")),
        (
            Side::Client,
            b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
            text("Hello"),
        ),
        (Side::Server, b"\x01\x03Hel\x80\x02lo", text("Hello")),
        (Side::Server, b"\x89\x05Hello", ping),
        (
            Side::Client,
            b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
            pong,
        ),
    ];
    for (sender, bytes, expected) in cases {
        assert_eq!(decode(sender, None, bytes), (vec![expected], None));
    }
}

#[test]
fn encodes_the_examples_of_the_rfc() {
    let mut encoder = Encoder::new(Side::Server, None);
    assert_eq!(
        encoder.message(true, b"Hello", true, None),
        &b"\x81\x05Hello"[..]
    );
    assert_eq!(encoder.ping(b"Hello", None), &b"\x89\x05Hello"[..]);
    let masked = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(encoder.pong(b"Hello", Some(KEY)), &masked[..]);
    let large = encoder.message(false, &[7; 256], false, None);
    assert_eq!(large[..4], *b"\x82\x7e\x01\x00");
    let larger = encoder.message(false, &vec![7; 65536], false, None);
    assert_eq!(larger[..10], *b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00");
}

#[test]
fn sizes_at_the_boundaries_survive_a_round_trip() {
    for size in [0, 1, 125, 126, 127, 65535, 65536, 65537] {
        let content = Dice(size as u64 + 1).bytes(size);
        for (sender, key) in [(Side::Server, None), (Side::Client, Some(KEY))] {
            let bytes = Encoder::new(sender, None).message(false, &content, false, key);
            for step in [1, 2, 3, 7, 4096, bytes.len()] {
                let (heard, violation) = decode_chunks(sender, None, bytes.chunks(step));
                assert_eq!(violation, None);
                assert!(
                    heard == [message(false, &content, false)],
                    "{size} by {step}"
                );
            }
        }
    }
}

#[test]
fn accepts_lengths_not_in_the_shortest_form() {
    let cases: [&[u8]; 2] = [b"\x82\x7e\x00\x01x", b"\x82\x7f\0\0\0\0\0\0\0\x01x"];
    for bytes in cases {
        let expected = message(false, b"x", false);
        assert_eq!(decode(Side::Server, None, bytes), (vec![expected], None));
    }
}

#[test]
fn masks_at_every_offset_and_size() {
    let plain = Dice(5).bytes(100);
    let slow: Vec<_> = (0..100).map(|at| plain[at] ^ KEY[at % 4]).collect();
    for from in 0..20 {
        for to in from..100 {
            let mut part = plain[from..to].to_vec();
            frame::mask(&mut part, KEY, from as u64);
            assert_eq!(part, slow[from..to]);
        }
    }
}

/// Bytes of a server that violate the protocol.
type Broken = (&'static str, &'static [u8]);

/// With negotiated compression.
fn check_broken(cases: &[Broken], code: u16) {
    for (name, bytes) in cases {
        let found = violation(Side::Server, Some(DeflateParams::default()), bytes);
        assert_eq!(found, (0, Some(code)), "{name}");
    }
}

#[test]
fn rejects_invalid_heads() {
    let cases: [Broken; 15] = [
        ("RSV2", b"\xa1\x00"),
        ("RSV3", b"\x91\x00"),
        ("RSV1 of a ping", b"\xc9\x00"),
        ("RSV1 of a close", b"\xc8\x00"),
        ("RSV1 of a continuation", b"\x01\x01a\xc0\x01b"),
        ("opcode 3", b"\x83\x00"),
        ("opcode 7", b"\x87\x00"),
        ("opcode 11", b"\x8b\x00"),
        ("opcode 15", b"\x8f\x00"),
        ("a mask of a server", b"\x81\x81\0\0\0\0a"),
        ("a ping in fragments", b"\x09\x01a"),
        ("a ping of 126 bytes", b"\x89\x7e\x00\x7e"),
        ("a long length of a close", b"\x88\x7f\0\0\0\0\0\0\0\x01"),
        ("a length of 2^63", b"\x82\x7f\x80\0\0\0\0\0\0\0"),
        ("half a close code", b"\x88\x01\x03"),
    ];
    check_broken(&cases, 1002);
    let plain = violation(Side::Server, None, b"\xc1\x00");
    assert_eq!(plain, (0, Some(1002)), "RSV1 without an agreement");
    let bare = violation(Side::Client, None, b"\x81\x01a");
    assert_eq!(bare, (0, Some(1002)), "no mask");
}

#[test]
fn rejects_invalid_order_content_and_size() {
    let orders: [Broken; 2] = [
        ("a continuation of nothing", b"\x80\x01a"),
        ("a message within another", b"\x01\x01a\x81\x01b"),
    ];
    check_broken(&orders, 1002);
    let contents: [Broken; 2] = [
        ("a reason that is no UTF-8", b"\x88\x04\x03\xe8\xff\xff"),
        ("a reason that is cut", b"\x88\x03\x03\xe8\xc3"),
    ];
    check_broken(&contents, 1007);
    let sizes: [Broken; 2] = [
        ("beyond the bound", b"\x82\x7f\0\0\0\0\0\x10\0\x01"),
        ("2^62 bytes", b"\x82\x7f\x40\0\0\0\0\0\0\0"),
    ];
    check_broken(&sizes, 1009);
}

#[test]
fn accepts_only_close_codes_of_the_wire() {
    let mut good = Vec::new();
    for code in 0..=u16::MAX {
        let bytes = [&b"\x88\x02"[..], &code.to_be_bytes()].concat();
        let (heard, violation) = decode_chunks(Side::Server, None, [&bytes[..]]);
        assert_eq!(heard.len() == 1, violation.is_none());
        assert_eq!(is_close_code(code), violation.is_none());
        if violation.is_none() {
            good.push(code);
        }
    }
    let expected = (1000..=1003).chain(1007..=1014).chain(3000..=4999);
    assert_eq!(good, expected.collect::<Vec<u16>>());
}

#[test]
fn ignores_bytes_after_a_close_frame() {
    let close = |code, reason: &str| ReceivedMessage::Close {
        code,
        reason: reason.to_owned(),
    };
    let cases: [(&[u8], ReceivedMessage); 3] = [
        (b"\x88\x00\xff\xff\xff", close(None, "")),
        (b"\x88\x02\x03\xe8\x81\x01a", close(Some(1000), "")),
        (b"\x88\x06\x03\xe9bye!\x88\x00", close(Some(1001), "bye!")),
    ];
    for (bytes, expected) in cases {
        assert_eq!(decode(Side::Server, None, bytes), (vec![expected], None));
    }
}

#[test]
fn encoded_control_frames_are_always_valid() {
    let encoder = Encoder::new(Side::Server, None);
    let reason = "ä".repeat(100);
    let long = encoder.close(Some(4999), &reason, None);
    let (heard, violation) = decode(Side::Server, None, &long);
    let reason = "ä".repeat(61);
    let expected = ReceivedMessage::Close {
        code: Some(4999),
        reason,
    };
    assert_eq!((heard, violation), (vec![expected], None));
    assert_eq!(
        encoder.close(None, "no code, no reason", None),
        &b"\x88\x00"[..]
    );
    let (heard, _) = decode(Side::Server, None, &encoder.ping(&[1; 200], None));
    assert_eq!(heard, [ReceivedMessage::Ping(vec![1; 125].into())]);
    let masked = encoder.close(Some(1000), "bye", Some(KEY));
    assert_eq!(decode(Side::Client, None, &masked).0.len(), 1);
}
