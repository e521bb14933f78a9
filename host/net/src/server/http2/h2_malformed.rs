//! What h2 does with malformed requests (RFC 9113, section 8.1.1), as `operations.md` documents it.

use super::h2_behavior::{Frame, REQUEST, client_preface, frame, written_by_h2};
use crate::server::bounds::Bounds;
use crate::server::frames::*;

/// A literal field without indexing (RFC 7541, section 6.2.2).
fn field(name: &[u8], value: &[u8]) -> Vec<u8> {
    let string = |bytes: &[u8]| [&[bytes.len().to_le_bytes()[0]], bytes].concat();
    [vec![0], string(name), string(value)].concat()
}

/// What a new h2 writes that reads a GET with this block on stream 1, and then a valid one.
async fn written_after(block: &[u8]) -> Vec<Frame> {
    let flags = END_STREAM | END_HEADERS;
    let input = [
        client_preface(&[], 0),
        frame(HEADERS, flags, 1, block),
        frame(HEADERS, flags, 3, &REQUEST),
    ];
    written_by_h2(&Bounds::default(), &input.concat()).await
}

const PROTOCOL_ERROR: [u8; 4] = [0, 0, 0, 1];

/// Its decoder refuses them (`hpack::Header::new`), and `codec::framed_read` has one answer to an
/// error of the decoder. `operations.md` says so.
#[tokio::test(start_paused = true)]
async fn a_field_that_h2_cannot_decode_ends_the_connection() {
    let start = [0x82, 0x86, 0x41, 1, b'x'];
    for (name, field) in [
        ("an upper-case name", field(b"X-A", b"1")),
        ("NUL in a value", field(b"x-a", b"\0")),
        ("a path that is not UTF-8", field(b":path", b"/\xff")),
    ] {
        let mut block = start.to_vec();
        if !field.ends_with(b"/\xff") {
            block.push(0x84);
        }
        block.extend(field);
        let frames = written_after(&block).await;
        let goaway = frames.iter().find(|frame| frame.kind == GOAWAY);
        let goaway = goaway.unwrap_or_else(|| panic!("{name}: {frames:?}"));
        assert_eq!(goaway.payload[4..8], PROTOCOL_ERROR, "{name}");
    }
}

/// h2 builds the URI before it tells hyper of the request (`server::Peer::convert_poll_message`).
#[tokio::test(start_paused = true)]
async fn a_path_that_is_no_uri_resets_its_stream_alone() {
    let path = field(b":path", b"/<");
    let frames = written_after(&[&[0x82, 0x86, 0x41, 1, b'x'][..], &path].concat()).await;
    let reset = frames.iter().find(|frame| frame.kind == RST_STREAM);
    let reset = reset.map(|frame| (frame.stream_id, &frame.payload[..]));
    assert_eq!(reset, Some((1, &PROTOCOL_ERROR[..])), "{frames:?}");
    let response = |frame: &Frame| frame.kind == HEADERS && frame.stream_id == 3;
    assert!(frames.iter().any(response), "{frames:?}");
    assert!(frames.iter().all(|frame| frame.kind != GOAWAY));
}
