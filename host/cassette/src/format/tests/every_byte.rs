//! A cassette with exchanges of every kind, truncated at every byte and changed at every byte.

use std::ops::Range;

use bytes::Bytes;

use super::without_times;
use crate::test_exchanges::{cassette, conversation, payload, sample, streamed, text};
use crate::{FormatError, HEADER, RecordedExchange, body_digest, decode};
use ouli_message::stream::{
    ChunkKind, Ending, Message, MessageKind, Protocol, Side, Stream, StreamContent,
};
use ouli_message::{Content, Exchange};

/// Plain, with a stored body, events, chunks, a WebSocket conversation, a gRPC call.
fn one_exchange_of_each_kind() -> Vec<Exchange> {
    let mut stored = sample(2);
    stored.request.body = text("plain text");
    stored.response.body = Content::Stored {
        digest: body_digest(b"large"),
        size: 5,
    };
    vec![
        sample(1),
        stored,
        streamed(ChunkKind::Event, b"data: 1\n\ndata: 2\n\n", &[9, 9]),
        streamed(ChunkKind::Raw, b"\xff\x00binary", &[3, 5]),
        conversation(5),
        grpc_call(),
        sample(7),
    ]
}

fn grpc_call() -> Exchange {
    let mut exchange = sample(6);
    exchange.request.body = Content::EMPTY;
    exchange.response.body = Content::EMPTY;
    let messages = [
        (
            Side::Client,
            MessageKind::Binary(payload(b"\x0a\x01a", false)),
        ),
        (Side::Client, MessageKind::End),
        (
            Side::Server,
            MessageKind::Binary(payload(b"\x0a\x01b", true)),
        ),
    ];
    let messages = messages.map(|(side, kind)| Message { side, at: 7, kind });
    exchange.stream = Some(Stream {
        content: StreamContent::Messages(Protocol::Grpc, messages.into()),
        ending: Ending::Complete,
    });
    exchange
}

/// The byte range of each exchange, including the end of its last line.
fn exchange_ranges(exchanges: &[Exchange]) -> Vec<Range<usize>> {
    let end = |count: usize| cassette(&exchanges[..count]).len();
    (0..exchanges.len())
        .map(|at| end(at)..end(at + 1))
        .collect()
}

#[test]
fn truncation_at_every_byte_keeps_whole_exchanges() {
    let kinds = one_exchange_of_each_kind();
    let (bytes, ranges) = (Bytes::from(cassette(&kinds)), exchange_ranges(&kinds));
    for end in 0..=bytes.len() {
        let loaded = decode(&bytes.slice(..end)).unwrap();
        // The last line end may be missing.
        let complete = ranges.iter().filter(|range| range.end <= end + 1).count();
        assert_eq!(loaded.exchanges.len(), complete, "cut at {end}");
        assert!(loaded.damage.is_empty(), "cut at {end}");
        for (found, recorded) in loaded.exchanges.iter().zip(&kinds) {
            assert!(!found.edited && found.exchange == *recorded, "cut at {end}");
        }
    }
}

#[test]
fn a_changed_byte_damages_one_exchange_only() {
    let kinds = one_exchange_of_each_kind();
    let (bytes, ranges) = (cassette(&kinds), exchange_ranges(&kinds));
    let timeless: Vec<_> = kinds.iter().map(without_times).collect();
    for at in 0..bytes.len() {
        for mask in [0x01, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= mask;
            let case = format!("byte {at} ^ {mask:#x}: {:?}", bytes[at] as char);
            let loaded = match decode(&Bytes::from(changed)) {
                Ok(loaded) => loaded,
                Err(error) => panic!("{case}: {error}"),
            };
            for found in loaded.exchanges.iter().filter(|found| !found.edited) {
                let known = timeless.contains(&without_times(&found.exchange));
                assert!(known, "{case}: a changed exchange is not marked as edited");
            }
            for (range, recorded) in ranges.iter().zip(&kinds) {
                let is_same = |found: &RecordedExchange| found.exchange == *recorded;
                let found = loaded.exchanges.iter().any(is_same);
                assert!(found || range.contains(&at), "{case}: {recorded:?} is lost");
            }
        }
    }
}

#[test]
fn a_newer_format_is_rejected_by_its_header() {
    let bytes = cassette(&one_exchange_of_each_kind());
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with(HEADER));
    let newer = Bytes::from(text.replacen("1 }", "3 }", 1));
    assert!(matches!(
        decode(&newer),
        Err(FormatError::Newer { version: 3, .. })
    ));
}
