//! Cassettes that an earlier build wrote load without a change, and encode to the same bytes.
//!
//! `fixtures/format_v1` holds one exchange of every kind that format version 1 knows. These files
//! are never regenerated: a test that fails here means that the format changed.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;

use ouli_cassette::{
    CassetteDir, CheckRejection, Completion, ExchangeSummary, HEADER, LoadedCassette, StreamParts,
    Summary, SyncPolicy, WriteCheck, WriteRequest, Writer, WriterOptions, encode,
};
use ouli_cassette::{ChangePolicy, body_digest, digest};
use ouli_message::failure::{FailureKind, Phase};
use ouli_message::stream::{ChunkKind, Ending, MessageKind, Protocol, Side};
use ouli_message::{Content, Exchange};

const SESSION: &str = "every_kind";

/// The size of a body from which on the fixture stores it as a file.
const INLINE_LIMIT: u64 = 512;

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format_v1")
}

fn fixture_dir() -> CassetteDir {
    CassetteDir::open(&fixtures(), 1 << 20).expect("the fixtures exist")
}

fn load() -> LoadedCassette {
    let loaded = fixture_dir().load(SESSION, ChangePolicy::Refuse);
    let loaded = loaded.expect("the fixture loads without a change");
    loaded.expect("the fixture exists")
}

fn find(loaded: &LoadedCassette, target: &str) -> Exchange {
    let found = loaded
        .exchanges
        .iter()
        .find(|it| it.exchange.request.target == target);
    let found = found.unwrap_or_else(|| panic!("the fixture has no exchange {target}"));
    found.exchange.clone()
}

#[test]
fn loads_without_damage_or_edits() {
    let loaded = load();
    assert_eq!((&loaded.damage[..], &loaded.torn_tail), (&[][..], &None));
    assert!(loaded.exchanges.iter().all(|it| !it.edited));
    let size = fs::metadata(fixtures().join("every_kind.jsons")).unwrap();
    assert_eq!(loaded.valid_length, size.len());
    assert_eq!(loaded.next_ordinal(), 53);
}

#[test]
fn encodes_to_the_same_bytes() {
    let mut encoded = HEADER.as_bytes().to_vec();
    for recorded in load().exchanges {
        let (ordinal, exchange) = (recorded.ordinal, &recorded.exchange);
        encode(&mut encoded, ordinal, exchange, "every_kind.bodies");
    }
    let original = fs::read_to_string(fixtures().join("every_kind.jsons")).unwrap();
    assert_eq!(String::from_utf8(encoded).unwrap(), original);
}

#[test]
fn keeps_the_digest_of_every_exchange() {
    let original = fs::read_to_string(fixtures().join("every_kind.jsons")).unwrap();
    let digests = original
        .lines()
        .filter_map(|line| line.strip_prefix("  \"digest\": "));
    let loaded = load().exchanges;
    let computed = loaded
        .iter()
        .map(|it| format!("\"{}\"", digest(&it.exchange)));
    assert!(digests.eq(computed));
}

#[test]
fn summarizes_as_the_earlier_build_did() {
    let summary = Summary::from(&load());
    assert_eq!((summary.exchanges, summary.edited), (52, 0));
    assert_eq!((summary.failures, summary.body_bytes), (29, 4779));
    let endpoints = [("api", 51), ("line\nbreak \"quoted\"", 1)];
    assert_eq!(
        summary.endpoints,
        BTreeMap::from(endpoints.map(|(name, count)| (name.to_owned(), count)))
    );
    assert_eq!(
        summary.statuses,
        BTreeMap::from([(101, 1), (200, 23), (999, 1)])
    );
}

#[test]
fn reads_every_form_of_a_body() {
    let loaded = load();
    let json = find(&loaded, "/json").response.body;
    let expected = b" \n{\n  \"a\": 1.50,\t\"b\": [true, null],\r\n  \"a\": \"\\u0041\"}\r\n";
    assert_eq!(json.inline(), expected);
    let lines = find(&loaded, "/text-lines").request.body;
    assert_eq!(lines.inline(), b"one\r\ntwo\n\nthree");
    let binary = find(&loaded, "/base64");
    assert_eq!(binary.request.body.inline(), b"\xff\xfe\x00");
    let mut stored = find(&loaded, "/file");
    assert!(matches!(
        stored.request.body,
        Content::Stored { size: 840, .. }
    ));
    fixture_dir().read_bodies(SESSION, &mut stored).unwrap();
    assert_eq!(stored.response.body.inline(), [0xa7; 600]);
    let unusual = find(&loaded, "*");
    assert_eq!(unusual.response.fields.get_str("x-text"), None);
    let values: Vec<_> = unusual.response.fields.iter().collect();
    assert_eq!(values[2].1.as_bytes(), b"\xffraw");
    assert_eq!(unusual.tags[2], ("a \"b\"".into(), "line\nbreak".into()));
}

#[test]
fn reads_every_kind_of_stream() {
    let streams: Vec<_> = load()
        .exchanges
        .iter()
        .filter_map(|it| ExchangeSummary::from(it).stream)
        .map(|it| (it.parts, it.count, it.ending))
        .collect();
    let (events, lines, raw) = (ChunkKind::Event, ChunkKind::Line, ChunkKind::Raw);
    let chunks = StreamParts::Chunks;
    let websocket = StreamParts::Messages(Protocol::WebSocket);
    let expected = [
        (chunks(events), 4, Ending::Complete),
        (chunks(events), 3, Ending::ClientAborted),
        (chunks(events), 2, Ending::Complete),
        (chunks(events), 0, Ending::Complete),
        (chunks(lines), 3, Ending::ServerAborted),
        (chunks(raw), 2, Ending::Complete),
        (chunks(raw), 3, Ending::ClientAborted),
        (websocket, 12, Ending::ServerAborted),
        (StreamParts::Messages(Protocol::Grpc), 5, Ending::Complete),
        (websocket, 0, Ending::ClientAborted),
        (chunks(events), 2, Ending::ServerAborted),
    ];
    assert_eq!(streams, expected);
}

#[test]
fn reads_every_message_of_a_conversation() {
    let socket = find(&load(), "/socket").stream.unwrap();
    let message = |index: usize| &socket.messages()[index];
    let MessageKind::Text(json) = &message(1).kind else {
        panic!("{:?}", message(1))
    };
    assert_eq!((message(1).side, message(1).at), (Side::Server, 1221));
    assert_eq!(json.content.inline(), b" {\"a\":  [1]}\n");
    assert!(json.compressed);
    let close = MessageKind::Close {
        code: Some(1000),
        reason: "bye \u{e9}".to_owned(),
    };
    assert_eq!(message(10).kind, close);
    assert_eq!(message(11).kind, MessageKind::End);
    let large = "large ".repeat(100);
    let MessageKind::Text(stored) = &message(5).kind else {
        panic!("{:?}", message(5))
    };
    let digest = body_digest(large.as_bytes());
    assert_eq!(stored.content, Content::Stored { digest, size: 600 });
}

#[test]
fn reads_every_kind_of_failure() {
    let failures: Vec<_> = load()
        .exchanges
        .iter()
        .filter_map(|it| it.exchange.failure)
        .collect();
    let mut expected = Vec::new();
    for phase in [Phase::Connect, Phase::Tls, Phase::Head] {
        for kind in FailureKind::ALL {
            let code = (kind == FailureKind::Reset).then_some(u32::MAX);
            expected.push((phase, kind, code, 42));
        }
    }
    expected.push((Phase::Body, FailureKind::Closed, None, 0));
    expected.push((Phase::Body, FailureKind::Reset, Some(8), u64::MAX));
    let found = failures
        .iter()
        .map(|it| (it.cause.phase, it.cause.kind, it.cause.code, it.at));
    assert!(found.eq(expected));
}

#[derive(Debug)]
struct AcceptAll;

impl WriteCheck for AcceptAll {
    fn check(&self, _bytes: &[u8]) -> Result<(), CheckRejection> {
        Ok(())
    }
}

#[test]
fn the_writer_produces_the_same_files() {
    let home = tempfile::tempdir().unwrap();
    let target = CassetteDir::open(home.path(), 1 << 20).unwrap();
    let options = WriterOptions {
        queue: NonZero::new(8).unwrap(),
        max_batch: NonZero::new(8).unwrap(),
        max_batch_bytes: 1 << 20,
        max_open: NonZero::new(1).unwrap(),
        inline_limit: INLINE_LIMIT,
        sync: SyncPolicy::Close,
    };
    let writer = Writer::start(target, options, Box::new(|_, _, _| {})).unwrap();
    for recorded in load().exchanges {
        let mut exchange = recorded.exchange;
        fixture_dir().read_bodies(SESSION, &mut exchange).unwrap();
        writer.submit(WriteRequest {
            is_recording: false,
            start: None,
            session: "every kind".to_owned(),
            exchange,
            check: Arc::new(AcceptAll),
            is_told: false,
            completion: Completion::ignored(),
        });
    }
    writer.close().unwrap();
    let original = fixtures();
    let file = "every_kind.jsons";
    let (written, expected) = (home.path().join(file), original.join(file));
    assert_eq!(
        fs::read_to_string(written).unwrap(),
        fs::read_to_string(expected).unwrap()
    );
    let bodies = original.join("every_kind.bodies").read_dir().unwrap();
    let bodies: Vec<_> = bodies.map(|entry| entry.unwrap().file_name()).collect();
    let written = home.path().join("every_kind.bodies");
    assert_eq!((bodies.len(), written.read_dir().unwrap().count()), (5, 5));
    for name in bodies {
        let expected = fs::read(original.join("every_kind.bodies").join(&name)).unwrap();
        assert_eq!(fs::read(written.join(&name)).unwrap(), expected);
    }
}
