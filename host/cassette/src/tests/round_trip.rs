//! What is written reads back as it was.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::{cassette, sample, text};
use crate::decode;
use crate::format::decode::LoadedCassette;
use crate::format::digest::body_digest;
use ouli_message::{Content, Exchange, Fields};

pub(super) const BODIES: &[&[u8]] = &[
    b"",
    b"{}",
    b"[]",
    b" {\"a\": 1}\r\n",
    b"{\"a\":1,\"a\":2}",
    b"[1234567890123456789012345678901234567890.000100e+99999]",
    b"[\"\\ud800\", \"\\u0000\"]",
    b"[\n{\n  \"exchange\": 1\n}\n]",
    b"{\n  \"exchange\": 1\n}",
    b"{ \"ouli-cassette\": 1 }\n",
    b"\"only a string\"",
    b"{\"cut\": ",
    b"{} {}",
    b"{\"raw\": \"a\nb\"}",
    b"one line",
    b"one line\n",
    b"\n",
    b"\n\n",
    b" ",
    b"CRLF\r\nLF\nCR\ralone\r",
    b"nul \0 and \x1b[0m",
    "line\u{2028}separator \u{feff}\u{1f600}".as_bytes(),
    "\u{feff}{}".as_bytes(),
    "\u{a0}{}\u{a0}".as_bytes(),
    b"\xff\xfe\x00",
    b"valid until \xc3",
    b"\\u0041 \"quoted\" \\",
];

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
fn many_chunks_round_trip_in_order() {
    let exchanges: Vec<_> = (0..4000).map(sample).collect();
    let bytes = check_round_trip(&exchanges);
    assert!(bytes.len() > 1024 * 1024, "large enough for two threads");
}

/// The bytes of a cassette that was read back, and written a second time to the same bytes.
pub(super) fn check_round_trip(exchanges: &[Exchange]) -> Vec<u8> {
    let bytes = cassette(exchanges);
    let LoadedCassette {
        exchanges: read,
        damage,
        torn_tail: torn,
        valid_length: whole,
    } = decode(&Bytes::from(bytes.clone())).unwrap();
    let shown = String::from_utf8_lossy(&bytes);
    assert_eq!((damage, torn), (vec![], None), "{shown}");
    assert_eq!(whole, bytes.len() as u64);
    assert_eq!(read.len(), exchanges.len(), "{shown}");
    for ((ordinal, recorded), exchange) in (1..).zip(&read).zip(exchanges) {
        assert_eq!(&recorded.exchange, exchange, "{shown}");
        assert!(!recorded.edited && recorded.ordinal == ordinal, "{shown}");
    }
    let again: Vec<_> = read.into_iter().map(|it| it.exchange).collect();
    assert_eq!(cassette(&again), bytes);
    bytes
}

/// A small generator of the kind of Marsaglia's xorshift.
pub(super) struct Xorshift(pub(super) u64);

impl Xorshift {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn exchange(&mut self) -> Exchange {
        let mut exchange = sample(self.next());
        exchange.endpoint = self.words(3);
        exchange.request.target = self.words(4);
        exchange.request.fields = self.fields();
        exchange.request.body = self.body();
        exchange.response.fields = self.fields();
        exchange.response.body = self.body();
        exchange.response.trailers = self.fields();
        exchange.tags = (0..self.below(3))
            .map(|_| (self.words(2), self.words(2)))
            .collect();
        exchange
    }

    pub(super) fn body(&mut self) -> Content {
        let bytes = match self.below(4) {
            0 => BODIES[self.below(BODIES.len() as u64) as usize].to_vec(),
            1 => (0..self.below(40)).map(|_| self.next() as u8).collect(),
            2 => self.words(12).into_bytes(),
            _ => serde_json::to_vec(&vec![self.words(4), self.words(4)]).unwrap(),
        };
        Content::Inline(Bytes::from(bytes))
    }

    pub(super) fn words(&mut self, most: u64) -> String {
        const WORDS: &[&str] = &[
            "\n",
            "\r\n",
            "{",
            "}",
            "\"",
            "\\",
            "[1, 2]",
            " ",
            "exchange",
            "\n{\n  \"exchange\":",
            "\0",
            "\u{2028}",
            "\u{fffd}",
            "a",
            "\\ud800",
            ",",
            ":",
            "\u{7f}",
        ];
        (0..self.below(most + 1))
            .map(|_| WORDS[self.below(WORDS.len() as u64) as usize])
            .collect()
    }

    fn fields(&mut self) -> Fields {
        let names = ["a", "content-type", "x-long-name"];
        (0..self.below(4))
            .map(|_| {
                let value: Vec<u8> = (0..self.below(12))
                    .map(|_| self.next() as u8)
                    .filter(|byte| *byte == b'\t' || (*byte >= 32 && *byte != 127))
                    .collect();
                let name = names[self.below(3) as usize];
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_bytes(&value).unwrap(),
                )
            })
            .collect()
    }
}
