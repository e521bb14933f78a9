//! Fragmented messages, and text that is validated before it is complete.

use super::*;

#[test]
fn fragments_make_one_message() {
    let ping = || ReceivedMessage::Ping(b"p".to_vec().into());
    let cases: [(&[u8], Vec<ReceivedMessage>); 6] = [
        (b"\x01\x00\x00\x00\x80\x00", vec![text("")]),
        (
            b"\x01\x01a\x00\x01b\x80\x01c\x81\x01d",
            vec![text("abc"), text("d")],
        ),
        (b"\x01\x01a\x89\x01p\x80\x01b", vec![ping(), text("ab")]),
        (b"\x02\x01\xff\x89\x01p\x89\x01p\x80\x01\xfe", {
            vec![ping(), ping(), message(false, b"\xff\xfe", false)]
        }),
        // A character may be split over frames.
        (
            b"\x01\x01\xe2\x00\x01\x82\x80\x01\xac",
            vec![text("\u{20ac}")],
        ),
        (
            b"\x01\x02\xf0\x9f\x8a\x00\x80\x02\x98\x80",
            vec![ReceivedMessage::Pong(Bytes::new()), text("\u{1f600}")],
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(
            decode(Side::Server, None, bytes),
            (expected, None),
            "{bytes:?}"
        );
    }
}

#[test]
fn a_close_frame_within_a_message_ends_the_side() {
    let (heard, violation) = decode(Side::Server, None, b"\x01\x01a\x88\x00\x80\x01b");
    assert!(matches!(
        heard[..],
        [ReceivedMessage::Close { code: None, .. }]
    ));
    assert_eq!(violation, None);
}

#[test]
fn rejects_invalid_utf_8_at_the_first_invalid_byte() {
    // The content, and the number of bytes up to the first invalid one.
    let cases: [(&[u8], usize); 9] = [
        (
            b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited",
            13,
        ),
        (b"ok\xff more", 3),
        (b"\xc0\xaf\x00\x00", 1),
        (b"\xe0\x80\xaf\x00", 2),
        (b"\xed\xa0\x80\x00", 2),
        (b"\xf5\x80\x80\x80", 1),
        (b"\xf0\x80\x80\x80", 2),
        (b"\x80\x00", 1),
        (b"\xe2\x82(\x00", 3),
    ];
    for (content, needed) in cases {
        let head = [0x81, content.len() as u8];
        let bytes = [&head[..], content].concat();
        let before = &bytes[..head.len() + needed - 1];
        assert_eq!(
            violation(Side::Server, None, before),
            (0, None),
            "{content:x?}"
        );
        let with = &bytes[..head.len() + needed];
        assert_eq!(
            violation(Side::Server, None, with),
            (0, Some(1007)),
            "{content:x?}"
        );
        let binary = [&[0x82, content.len() as u8], content].concat();
        assert_eq!(
            violation(Side::Server, None, &binary),
            (1, None),
            "{content:x?}"
        );
    }
}

#[test]
fn rejects_text_that_ends_within_a_character() {
    for bytes in [
        &b"\x81\x02\xe2\x82"[..],
        b"\x01\x02\xe2\x82\x80\x00",
        b"\x81\x01\xf0",
    ] {
        assert_eq!(violation(Side::Server, None, bytes), (0, Some(1007)));
    }
}

#[test]
fn accepts_a_message_of_the_maximum_size() {
    let half = vec![b'x'; 1 << 20];
    let fragment = |first: u8| {
        let mut bytes = vec![first, 0x7f, 0, 0, 0, 0, 0, 0x10, 0, 0];
        bytes.extend_from_slice(&half);
        bytes
    };
    let full = [fragment(0x02), fragment(0), fragment(0), fragment(0)].concat();
    let (heard, violation) = decode_chunks(Side::Server, None, [&full[..], b"\x80\x00"]);
    assert_eq!((heard.len(), violation), (1, None));
    // The head of a message with one more byte is rejected.
    let (heard, violation) = decode_chunks(Side::Server, None, [&full[..], b"\x80\x01"]);
    assert_eq!((heard.len(), violation.unwrap().code), (0, 1009));
}

#[test]
fn an_announced_length_allocates_no_memory() {
    let bounds = Bounds {
        frame: u64::MAX,
        message: u64::MAX,
        ratio: 1,
    };
    let mut decoder = Decoder::new(Side::Server, bounds, None);
    let mut input = BytesMut::from(&b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xffabc"[..]);
    assert_eq!(decoder.decode(&mut input), Ok(None));
    assert!(input.is_empty());
}
