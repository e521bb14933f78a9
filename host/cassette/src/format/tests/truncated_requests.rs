//! Requests whose bodies are truncated.

use super::check_round_trip;
use crate::digest;
use crate::test_exchanges::{cassette, sample};
use ouli_message::Exchange;

fn truncated(length: u64) -> Exchange {
    let mut exchange = sample(1);
    exchange.request.truncated_at = Some(length);
    exchange
}

#[test]
fn truncated_requests_round_trip() {
    check_round_trip(&[truncated(0), truncated(14), truncated(u64::MAX), sample(2)]);
}

#[test]
fn the_length_is_a_member_of_the_request_and_in_the_digest() {
    let text = String::from_utf8(cassette(&[truncated(14)])).unwrap();
    assert!(
        text.contains("\n    \"truncated_at\": 14\n  },\n"),
        "{text}"
    );
    let whole = String::from_utf8(cassette(&[sample(1)])).unwrap();
    assert!(!whole.contains("truncated_at"), "{whole}");
    let digests = [truncated(14), truncated(15), sample(1)].map(|it| digest(&it));
    assert!(digests[0] != digests[1] && digests[0] != digests[2]);
    let edited = text.replacen("\"truncated_at\": 14", "\"truncated_at\": 15", 1);
    assert!(super::read(edited.as_bytes()).exchanges[0].edited);
}

#[test]
fn a_length_that_is_no_number_is_an_error() {
    let text = String::from_utf8(cassette(&[truncated(14)])).unwrap();
    for value in ["-1", "1.5", "\"14\"", "true"] {
        let member = format!("\"truncated_at\": {value}");
        let edited = text.replacen("\"truncated_at\": 14", &member, 1);
        let loaded = super::read(edited.as_bytes());
        assert!(loaded.torn_tail.is_some(), "{value}");
    }
}
