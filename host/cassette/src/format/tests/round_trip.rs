//! Encoded exchanges decode to the same exchanges.

use bytes::Bytes;
use http::{Method, StatusCode};

use super::check_round_trip;
use super::random::{BODIES, Xorshift};
use crate::body_digest;
use crate::test_exchanges::{sample, text};
use ouli_message::{CodedBody, Content, Fields};

#[test]
fn every_body_round_trips() {
    for body in BODIES {
        let mut exchange = sample(1);
        exchange.request.body = Content::Inline(Bytes::from_static(body));
        exchange.response.body = Content::Inline(Bytes::from_static(body));
        check_round_trip(&[exchange, sample(2)]);
    }
}

#[test]
fn deep_json_round_trips() {
    for depth in [99, 100, 101, 100_000] {
        let body = "[".repeat(depth) + &"]".repeat(depth);
        let mut exchange = sample(1);
        exchange.request.body = text(&body);
        let bytes = check_round_trip(&[exchange]);
        let embedded = String::from_utf8(bytes).unwrap().contains("\"json\": [[");
        assert_eq!(embedded, depth <= 100, "{depth}");
    }
}

#[test]
fn stored_bodies_round_trip_as_references() {
    let mut exchange = sample(1);
    exchange.response.body = Content::Stored {
        digest: body_digest(b"large"),
        size: 5,
    };
    let bytes = String::from_utf8(check_round_trip(&[exchange])).unwrap();
    let file = format!("\"file\": \"name.bodies/{}\",", body_digest(b"large"));
    assert!(bytes.contains(&file), "{bytes}");
}

#[test]
fn coded_bodies_round_trip() {
    let stored = Content::Stored {
        digest: body_digest(b"large"),
        size: 5,
    };
    let binary = Content::Inline(Bytes::from_static(b"\x1f\x8b\x08"));
    for coded in [
        CodedBody::Exact(binary),
        CodedBody::Exact(text("4\r\ntext\r\n0\r\n\r\n")),
        CodedBody::Exact(stored),
        CodedBody::Undecoded,
    ] {
        let mut exchange = sample(1);
        exchange.response.coded = coded;
        check_round_trip(&[exchange, sample(2)]);
    }
}

#[test]
fn unusual_heads_round_trip() {
    let mut exchange = sample(1);
    exchange.endpoint = "line\nbreak \"quoted\" \u{1f600}".to_owned();
    exchange.request.method = Method::from_bytes(b"PURGE").unwrap();
    exchange.request.authority = String::new();
    exchange.request.target = "*".to_owned();
    exchange.request.fields = Fields::default();
    exchange.response.status = StatusCode::from_u16(999).unwrap();
    exchange.tags = vec![
        ("same".to_owned(), "1".to_owned()),
        ("same".to_owned(), String::new()),
    ];
    check_round_trip(&[exchange]);
}

#[test]
fn json_is_stored_verbatim() {
    let mut exchange = sample(1);
    exchange.request.body = text("\t{\"b\":  1.0,\"a\":\"\\u0041\"}\n");
    let bytes = String::from_utf8(check_round_trip(&[exchange])).unwrap();
    let expected = concat!(
        "    \"body\": {\n",
        "      \"before\": \"\\t\",\n",
        "      \"json\": {\"b\":  1.0,\"a\":\"\\u0041\"},\n",
        "      \"after\": \"\\n\"\n",
        "    }\n",
    );
    assert!(bytes.contains(expected), "{bytes}");
}

#[test]
fn lone_surrogates_are_not_embedded_as_json() {
    for (body, embedded) in [
        (r#"["\ud83d\ude00"]"#, true),
        (r#"["\ud83d"]"#, false),
        (r#"["\uDE00"]"#, false),
        (r#"["\\ud83d"]"#, true),
    ] {
        let mut exchange = sample(1);
        exchange.response.body = text(body);
        let bytes = String::from_utf8(check_round_trip(&[exchange])).unwrap();
        assert_eq!(bytes.contains(&format!("\"json\": {body}")), embedded);
    }
}

#[test]
fn random_exchanges_round_trip() {
    let mut random = Xorshift(0x5eed);
    for _ in 0..3000 {
        let exchanges: Vec<_> = (0..random.below(3)).map(|_| random.exchange()).collect();
        check_round_trip(&exchanges);
    }
}

#[test]
fn a_large_cassette_round_trips_in_order() {
    let exchanges: Vec<_> = (0..4000).map(sample).collect();
    let bytes = check_round_trip(&exchanges);
    assert!(bytes.len() > 1024 * 1024, "large enough for two threads");
}
