//! Reading cassettes: every reported fault lies within the file, and what was read is the same
//! after it is written and read again. A response can be built of each exchange.

use bytes::Bytes;
use http::{Response, StatusCode};
use ouli_cassette::{HEADER, LoadedCassette, decode, encode};
use ouli_codec::websocket::Encoder;
use ouli_message::Exchange;
use ouli_message::stream::{MessageKind, Side, Stream};

use super::choices::Dice;

/// The input is a cassette.
pub(super) fn check(input: &[u8]) {
    let Ok(loaded) = decode(&Bytes::copy_from_slice(input)) else {
        return;
    };
    faults_are_in_place(&loaded, input.len() as u64);
    for recorded in &loaded.exchanges {
        can_be_sent(&recorded.exchange);
    }
    let written = write(&loaded);
    let again = read(&written);
    assert!(
        again.damage.is_empty() && again.torn_tail.is_none(),
        "{again:?}"
    );
    assert_eq!(again.valid_length, written.len() as u64);
    same_exchanges(&loaded, &again);
    assert_eq!(write(&again), written, "a second write gives other bytes");

    // A prefix of a cassette is read as the first exchanges of the whole and nothing else.
    let mut dice = Dice::of(input);
    let cut = HEADER.len() + dice.below(written.len() - HEADER.len() + 1);
    let cut = read(&written.slice(..cut));
    assert!(cut.damage.is_empty(), "{:?}", cut.damage);
    assert!(cut.exchanges.len() <= again.exchanges.len());
    for (part, whole) in cut.exchanges.iter().zip(&again.exchanges) {
        assert_eq!(part, whole, "a prefix of a cassette has other exchanges");
    }
}

/// As a replay builds the head, the trailers and the frames of a WebSocket.
fn can_be_sent(exchange: &Exchange) {
    let recorded = &exchange.response;
    let status = recorded.status;
    let messages = exchange.stream.as_ref().map(Stream::messages);
    let is_upgrade = status == StatusCode::SWITCHING_PROTOCOLS && messages.is_some();
    assert!(!status.is_informational() || is_upgrade, "{status}");
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = recorded.fields.to_map();
    assert!(response.headers().len() <= recorded.fields.len());
    assert!(recorded.trailers.to_map().len() <= recorded.trailers.len());
    let encoder = Encoder::new(Side::Server, None);
    for message in messages.unwrap_or_default() {
        if let MessageKind::Close { code, reason } = &message.kind {
            assert!(
                code.is_some() || reason.is_empty(),
                "{reason:?} is not sent"
            );
            assert!(encoder.close(*code, reason, None).len() <= 2 + 125);
        }
    }
}

fn faults_are_in_place(loaded: &LoadedCassette, size: u64) {
    assert!(loaded.valid_length <= size);
    let mut end = 0;
    for damage in loaded.damage.iter().chain(&loaded.torn_tail) {
        assert!(damage.offset >= end, "{damage}");
        end = damage.offset + damage.bytes;
        assert!(end <= size, "{damage}");
        assert!(damage.error.line > 0 && !damage.error.reason.is_empty());
    }
}

fn same_exchanges(loaded: &LoadedCassette, again: &LoadedCassette) {
    assert_eq!(again.exchanges.len(), loaded.exchanges.len());
    let mut last = 0;
    for (before, after) in loaded.exchanges.iter().zip(&again.exchanges) {
        assert_eq!(after.exchange, before.exchange);
        assert_eq!(after.ordinal, before.ordinal);
        // The written exchange has a valid digest, so `edited` can only come from its order.
        assert_eq!(after.edited, after.ordinal <= last);
        last = last.max(after.ordinal);
    }
}

fn read(bytes: &Bytes) -> LoadedCassette {
    decode(bytes).expect("the written cassette has a valid header")
}

fn write(loaded: &LoadedCassette) -> Bytes {
    let mut out = HEADER.as_bytes().to_vec();
    for recorded in &loaded.exchanges {
        encode(&mut out, recorded.ordinal, &recorded.exchange, "a.bodies");
    }
    out.into()
}
