//! What happens to streams whose bytes are not those that were written.

use bytes::Bytes;

use super::round_trip::check_round_trip;
use super::{cassette, conversation, sample, streamed, text};
use crate::decode;
use crate::format::decode::{LoadedCassette, RecordedExchange};
use crate::format::encode::HEADER;
use ouli_message::stream::{Chunk, ChunkKind, MessageKind, Payload, StreamContent};
use ouli_message::{Content, Exchange};

#[test]
fn a_cut_inside_a_stream_is_a_torn_end() {
    for last in [conversation(2), events()] {
        let one = cassette(&[conversation(1)]).len();
        let bytes = cassette(&[conversation(1), last]);
        for end in one + 1..bytes.len() - 1 {
            let loaded = read(&bytes[..end]);
            assert_eq!(loaded.exchanges.len(), 1, "cut at {end}");
            assert_eq!(loaded.exchanges[0].exchange, conversation(1));
            assert_eq!(loaded.torn_tail.unwrap().offset, one as u64);
            assert_eq!((loaded.damage, loaded.valid_length), (vec![], one as u64));
        }
    }
}

#[test]
fn no_flipped_byte_of_a_stream_passes_for_what_was_recorded() {
    let recorded = [conversation(1), events(), sample(3)];
    let mut timeless = recorded.clone();
    timeless.iter_mut().for_each(clear_times);
    let bytes = cassette(&recorded);
    for at in HEADER.len()..bytes.len() {
        for mask in [0x01, 0x02, 0x10, 0x20, 0x80] {
            let mut flipped = bytes.clone();
            flipped[at] ^= mask;
            let mut loaded = read(&flipped);
            let lost = !loaded.damage.is_empty() || loaded.torn_tail.is_some();
            assert!(loaded.exchanges.len() >= if lost { 1 } else { 3 });
            for found in &mut loaded.exchanges {
                clear_times(&mut found.exchange);
                let known = timeless.contains(&found.exchange);
                assert!(found.edited || known, "byte {at}");
            }
        }
    }
}

/// What stands in a cassette, what is put in its place, and what is said about that.
const STRICT: &[(&str, &str, &str)] = &[
    (r#""protocol": "websocket","#, "", "expected `unit`, or"),
    (
        r#""websocket""#,
        r#""WebSocket""#,
        "expected `websocket` or `grpc`",
    ),
    (
        r#""websocket""#,
        r#"{"websocket": null}"#,
        "expected a string",
    ),
    (
        r#""websocket""#,
        r#""websocket", "unit": "line""#,
        "expected `unit`, or",
    ),
    (
        r#""websocket""#,
        r#""websocket", "sizes": []"#,
        "expected `unit`, or",
    ),
    (
        r#""websocket""#,
        r#""websocket", "new": 1"#,
        "unknown field `new`",
    ),
    (
        r#""ended": "server""#,
        r#""ended": "complete""#,
        "expected `client` or `server`",
    ),
    (r#""at": [1,"#, r#""at": [1.5,"#, "floating point"),
    (r#""at": [1,"#, r#""at": [-1,"#, "integer `-1`"),
    (
        r#""at": [1,"#,
        r#""at": [], "at": [1,"#,
        "duplicate field `at`",
    ),
    (
        r#""client": "text""#,
        r#""middle": "text""#,
        "unknown field `middle`",
    ),
    (
        r#""client": "text""#,
        r#""compressed": false"#,
        "expected one of `client`, `server`",
    ),
    (
        r#""text": "hello""#,
        r#""server": "text""#,
        "expected one of `client`, `server`",
    ),
    (
        r#""client": "text""#,
        r#""client": "shout""#,
        "expected `text`, `binary`, `ping`",
    ),
    (
        r#""client": "text""#,
        r#""client": ["text"]"#,
        "expected a string",
    ),
    (
        r#""client": "end""#,
        r#""client": "end", "text": "x""#,
        "without content",
    ),
    (
        r#""client": "end""#,
        r#""client": "end", "compressed": true"#,
        "`compressed`",
    ),
    (
        r#""client": "end""#,
        r#""client": "end", "code": 1"#,
        "expected no `code`",
    ),
    (
        r#""text": "hello""#,
        r#""text": "hello", "code": 1"#,
        "expected no `code`",
    ),
    (
        r#""text": "hello""#,
        r#""text": "", "text": """#,
        "duplicate field `text`",
    ),
    (
        r#""text": "hello""#,
        r#""text": "", "json": 1"#,
        "expected one of `json`",
    ),
    (
        r#""text": "hello""#,
        r#""before": " ""#,
        "expected one of `json`",
    ),
    (
        r#""text": "hello""#,
        r#""file": "x.bodies/../y", "size": 1"#,
        "expected a file",
    ),
    (r#""code": 1000"#, r#""code": 65536"#, "expected u16"),
    (
        r#""text": "bye""#,
        r#""base64": "/w==""#,
        "expected UTF-8 as the reason",
    ),
    (
        r#""base64": "/g==""#,
        r#""base64": "/g""#,
        "expected padded base64",
    ),
    (
        r#""unit": "event""#,
        r#""unit": "word""#,
        "expected `event`, `line` or `chunk`",
    ),
    (
        r#""unit": "event""#,
        r#""turns": []"#,
        "expected `unit`, or",
    ),
    (
        "\"stream\": {\n    \"unit\"",
        "\"stream\": [{}], \"x\": {\n    \"unit\"",
        "an object",
    ),
];

#[test]
fn strict_streams() {
    let good = String::from_utf8(cassette(&[conversation(1), events()])).unwrap();
    for (from, to, reason) in STRICT {
        assert!(good.contains(from), "{from}");
        let loaded = read(good.replacen(from, to, 1).as_bytes());
        assert_eq!(loaded.exchanges.len(), 1, "{to}");
        let fault = loaded.damage.first().or(loaded.torn_tail.as_ref()).unwrap();
        let found = fault.error.reason.contains(reason);
        assert!(found, "{to}: {}", fault.error);
    }
    let file = format!("\"file\": \"x.bodies/{}\", \"size\": 1", "0".repeat(64));
    for small in ["\"text\": \"p\"", "\"text\": \"bye\""] {
        let loaded = read(good.replacen(small, &file, 1).as_bytes());
        assert!(loaded.damage[0].error.reason.contains("no `file`"));
    }
}

#[test]
fn changed_times_are_not_an_edit() {
    let good = String::from_utf8(cassette(&[conversation(1)])).unwrap();
    let start = good.find("\"at\": [").unwrap();
    let line = &good[start..start + good[start..].find('\n').unwrap()];
    let cases = [
        ("\"at\": []", [0; 10]),
        ("\"at\": [5, 9]", [5, 9, 9, 9, 9, 9, 9, 9, 9, 9]),
        (
            "\"at\": [9, 8,\n7,6,5, 4,3,2,1,0, 11, 12]",
            [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
        ),
    ];
    for (to, expected) in cases {
        let found = read_one(&good.replacen(line, to, 1));
        assert!(!found.edited, "{to}");
        let stream = found.exchange.stream.unwrap();
        let times: Vec<_> = stream.messages().iter().map(|turn| turn.at).collect();
        assert_eq!(times, expected);
    }
    let none = good.replacen(&format!(",\n    {line}"), "", 1);
    assert_eq!(read_one(&none).exchange.stream.unwrap().messages()[9].at, 0);
}

#[test]
fn chunk_sizes_adapt_to_an_edited_body() {
    let lines = streamed(ChunkKind::Line, b"one\ntwo\n", &[4, 4]);
    let chunks = streamed(ChunkKind::Raw, b"one\ntwo\n", &[6, 2]);
    type Case<'a> = (&'a Exchange, &'a str, &'a str, &'a [(u64, u64)]);
    let cases: [Case<'_>; 7] = [
        (&lines, "\"two\\n\"", "\"2\\n\"", &[(0, 4), (7, 2)]),
        (
            &lines,
            "\"two\\n\"",
            "\"two\\n\", \"three\"",
            &[(0, 4), (7, 4), (7, 5)],
        ),
        (&lines, ",\n        \"two\\n\"", "", &[(0, 4)]),
        (
            &chunks,
            "\"two\\n\"",
            "\"two\\n\", \"three\"",
            &[(0, 6), (7, 7)],
        ),
        (&chunks, "\"two\\n\"", "\"2\\n\"", &[(0, 6)]),
        (&chunks, "\"two\\n\"", "\"\"", &[(0, 4)]),
        (&chunks, "\"sizes\": [6, 2],", "", &[(0, 8)]),
    ];
    for (exchange, from, to, expected) in cases {
        let good = String::from_utf8(cassette(std::slice::from_ref(exchange))).unwrap();
        assert!(good.contains(from), "{good}");
        let found = read_one(&good.replacen(from, to, 1));
        assert!(found.edited, "{to}");
        let StreamContent::Chunks(_, pieces) = &found.exchange.stream.as_ref().unwrap().content
        else {
            panic!("pieces stay pieces")
        };
        let pieces: Vec<_> = pieces
            .iter()
            .map(|Chunk { at, size }| (*at, *size))
            .collect();
        assert_eq!(pieces, expected, "{to}");
        check_round_trip(&[found.exchange]);
    }
}

#[test]
fn changed_messages_are_an_edit() {
    let good = String::from_utf8(cassette(&[conversation(1)])).unwrap();
    let cases = [
        ("\"hello\"", "\"hallo\"", true, 10),
        (
            "\n      {\n        \"client\": \"end\"\n      }",
            "{\"server\": \"end\"}",
            true,
            10,
        ),
        (
            ",\n      {\n        \"client\": \"end\"\n      }",
            "",
            true,
            9,
        ),
        (
            "\"client\": \"text\",\n        \"text\": \"hello\"",
            "\"json\": 1, \"client\": \"text\"",
            true,
            10,
        ),
        (
            "\"client\": \"text\",\n        \"text\": \"hello\"",
            "\"text\": [\"hel\", \"lo\"], \"compressed\": false, \"client\": \"text\"",
            false,
            10,
        ),
    ];
    for (from, to, edited, count) in cases {
        assert!(good.contains(from), "{from}");
        let found = read_one(&good.replacen(from, to, 1));
        assert_eq!(found.edited, edited, "{to}");
        assert_eq!(
            found.exchange.stream.as_ref().unwrap().messages().len(),
            count
        );
        check_round_trip(&[found.exchange]);
    }
}

#[test]
fn a_cassette_inside_a_message_is_never_parsed_as_exchanges() {
    let inner = String::from_utf8(cassette(&[conversation(8), events()])).unwrap();
    let list = inner.strip_prefix(HEADER).unwrap();
    let list = list.replace("}\n{\n  \"exchange\"", "},\n{\n  \"exchange\"");
    let mut outer = conversation(1);
    let messages = [
        format!("[\n{list}]"),
        inner,
        "\n{\n  \"exchange\":".to_owned(),
    ];
    let turns = outer.stream.as_mut().unwrap().messages_mut();
    for (turn, message) in turns.iter_mut().zip(&messages) {
        turn.kind = MessageKind::Text(Payload {
            content: text(message),
            compressed: false,
        });
    }
    let good = String::from_utf8(check_round_trip(&[outer, sample(2)])).unwrap();
    let bad = good.replacen("\"endpoint\"", "\"endpoimt\"", 1);
    let loaded = read(bad.as_bytes());
    let ordinals: Vec<_> = loaded.exchanges.iter().map(|it| it.ordinal).collect();
    assert_eq!((ordinals, loaded.damage.len()), (vec![2], 1));
}

#[test]
fn messages_borrow_from_the_input_buffer() {
    let bytes = Bytes::from(cassette(&[conversation(1)]));
    let found = &decode(&bytes).unwrap().exchanges[0].exchange;
    let inside = |content: &&Content| bytes.as_ptr_range().contains(&content.inline().as_ptr());
    assert_eq!(
        found.contents().filter(inside).count(),
        1,
        "the text without escapes"
    );
}

fn events() -> Exchange {
    streamed(ChunkKind::Event, b"data: 1\n\ndata: 2\n\n", &[9, 9])
}

fn clear_times(exchange: &mut Exchange) {
    match exchange.stream.as_mut().map(|stream| &mut stream.content) {
        Some(StreamContent::Chunks(_, pieces)) => pieces.iter_mut().for_each(|piece| piece.at = 0),
        Some(StreamContent::Messages(_, turns)) => turns.iter_mut().for_each(|turn| turn.at = 0),
        None => {}
    }
}

fn read_one(text: &str) -> RecordedExchange {
    let mut loaded = read(text.as_bytes());
    assert_eq!((loaded.damage, loaded.torn_tail), (vec![], None), "{text}");
    loaded.exchanges.pop().unwrap()
}

fn read(bytes: &[u8]) -> LoadedCassette {
    decode(&Bytes::copy_from_slice(bytes)).unwrap()
}
