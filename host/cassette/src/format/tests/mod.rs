//! Tests of encoding and decoding together.

mod damage;
mod every_byte;
mod failures;
mod line_ends;
mod random;
mod round_trip;
mod stream_damage;
mod streams;
mod truncated_requests;

use bytes::Bytes;

use super::{LoadedCassette, decode};
use crate::test_exchanges::cassette;
use ouli_message::Exchange;
use ouli_message::stream::StreamContent;

fn read(bytes: &[u8]) -> LoadedCassette {
    decode(&Bytes::copy_from_slice(bytes)).unwrap()
}

/// The text of a cassette.
fn cassette_text(exchanges: &[Exchange]) -> String {
    String::from_utf8(cassette(exchanges)).unwrap()
}

/// Encodes, decodes and encodes again, and returns the bytes of the cassette.
fn check_round_trip(exchanges: &[Exchange]) -> Vec<u8> {
    let bytes = cassette(exchanges);
    let loaded = read(&bytes);
    let text = String::from_utf8_lossy(&bytes);
    assert_eq!((loaded.damage, loaded.torn_tail), (vec![], None), "{text}");
    assert_eq!(loaded.valid_length, bytes.len() as u64);
    assert_eq!(loaded.exchanges.len(), exchanges.len(), "{text}");
    for ((ordinal, recorded), exchange) in (1..).zip(&loaded.exchanges).zip(exchanges) {
        assert_eq!(&recorded.exchange, exchange, "{text}");
        assert!(!recorded.edited && recorded.ordinal == ordinal, "{text}");
    }
    let decoded: Vec<_> = loaded.exchanges.into_iter().map(|it| it.exchange).collect();
    assert_eq!(cassette(&decoded), bytes);
    bytes
}

/// Times may change without a mark, because the digest does not cover them.
fn without_times(exchange: &Exchange) -> Exchange {
    let mut exchange = exchange.clone();
    match exchange.stream.as_mut().map(|stream| &mut stream.content) {
        Some(StreamContent::Chunks(_, chunks)) => chunks.iter_mut().for_each(|chunk| chunk.at = 0),
        Some(StreamContent::Messages(_, messages)) => {
            messages.iter_mut().for_each(|message| message.at = 0);
        }
        None => {}
    }
    exchange
}
