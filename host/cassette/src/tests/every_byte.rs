//! A cassette with exchanges of every kind, cut at every byte and changed at every byte.

use std::ops::Range;

use bytes::Bytes;

use super::{cassette, conversation, sample, streamed, text, words};
use crate::decode;
use crate::format::decode::Recorded;
use crate::format::digest::body_digest;
use crate::format::encode::HEADER;
use crate::format::format_error::FormatError;
use ouli_message::stream::{Ending, Form, Protocol, Said, Side, Stream, Turn, Unit};
use ouli_message::{Content, Exchange};

/// One of each kind: plain, with stored bodies, events, chunks, a WebSocket, a call of gRPC.
fn kinds() -> Vec<Exchange> {
    let mut stored = sample(2);
    stored.request.body = text("plain text");
    stored.response.body = Content::Stored {
        digest: body_digest(b"large"),
        size: 5,
    };
    vec![
        sample(1),
        stored,
        streamed(Unit::Event, b"data: 1\n\ndata: 2\n\n", &[9, 9]),
        streamed(Unit::Chunk, b"\xff\x00binary", &[3, 5]),
        conversation(5),
        call(),
        sample(7),
    ]
}

fn call() -> Exchange {
    let mut exchange = sample(6);
    exchange.request.body = Content::EMPTY;
    exchange.response.body = Content::EMPTY;
    let said = [
        (Side::Client, Said::Binary(words(b"\x0a\x01a", false))),
        (Side::Client, Said::End),
        (Side::Server, Said::Binary(words(b"\x0a\x01b", true))),
    ];
    let turns = said.map(|(side, said)| Turn { side, at: 7, said });
    exchange.stream = Some(Stream {
        form: Form::Turns(Protocol::Grpc, turns.into()),
        ending: Ending::Complete,
    });
    exchange
}

/// Where each exchange stands, with the end of its last line.
fn places(exchanges: &[Exchange]) -> Vec<Range<usize>> {
    let end = |count: usize| cassette(&exchanges[..count]).len();
    (0..exchanges.len())
        .map(|at| end(at)..end(at + 1))
        .collect()
}

#[test]
fn every_cut_leaves_the_whole_ones() {
    let kinds = kinds();
    let (bytes, places) = (Bytes::from(cassette(&kinds)), places(&kinds));
    for end in 0..=bytes.len() {
        let loaded = decode(&bytes.slice(..end)).unwrap();
        // The end of the last line may be missing.
        let whole = places.iter().filter(|place| place.end <= end + 1).count();
        assert_eq!(loaded.exchanges.len(), whole, "cut at {end}");
        assert!(loaded.damage.is_empty(), "cut at {end}");
        for (found, recorded) in loaded.exchanges.iter().zip(&kinds) {
            assert!(!found.edited && found.exchange == *recorded, "cut at {end}");
        }
    }
}

#[test]
fn every_changed_byte_costs_no_other_exchange() {
    let kinds = kinds();
    let (bytes, places) = (cassette(&kinds), places(&kinds));
    let timeless: Vec<_> = kinds.iter().map(timeless).collect();
    for at in 0..bytes.len() {
        for mask in [0x01, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= mask;
            let what = format!("byte {at} ^ {mask:#x}: {:?}", bytes[at] as char);
            let loaded = match decode(&Bytes::from(changed)) {
                Ok(loaded) => loaded,
                Err(error) => panic!("{what}: {error}"),
            };
            for found in loaded.exchanges.iter().filter(|found| !found.edited) {
                let known = timeless.contains(&self::timeless(&found.exchange));
                assert!(known, "{what}: an altered exchange counts as recorded");
            }
            for (place, recorded) in places.iter().zip(&kinds) {
                let is_there = |found: &Recorded| found.exchange == *recorded;
                let found = loaded.exchanges.iter().any(is_there);
                assert!(found || place.contains(&at), "{what}: {recorded:?} is lost");
            }
        }
    }
}

#[test]
fn a_header_of_a_newer_format_is_believed() {
    let bytes = cassette(&kinds());
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with(HEADER));
    let newer = Bytes::from(text.replacen("1 }", "3 }", 1));
    assert!(matches!(
        decode(&newer),
        Err(FormatError::Newer { version: 3, .. })
    ));
}

/// Times are no part of what was recorded.
fn timeless(exchange: &Exchange) -> Exchange {
    let mut exchange = exchange.clone();
    match exchange.stream.as_mut().map(|stream| &mut stream.form) {
        Some(Form::Pieces(_, pieces)) => pieces.iter_mut().for_each(|piece| piece.at = 0),
        Some(Form::Turns(_, turns)) => turns.iter_mut().for_each(|turn| turn.at = 0),
        None => {}
    }
    exchange
}
