//! Reading cassettes: every reported fault lies within the file, and what was read is the same
//! after it is written and read again.

use bytes::Bytes;
use ouli_cassette::{HEADER, LoadedCassette, decode, encode};

use super::choices::Dice;

/// The input is a cassette.
pub(super) fn check(input: &[u8]) {
    let Ok(loaded) = decode(&Bytes::copy_from_slice(input)) else {
        return;
    };
    faults_are_in_place(&loaded, input.len() as u64);
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
