//! Damaged and edited streams.

use bytes::Bytes;

use super::{check_round_trip, read, without_times};
use crate::test_exchanges::{cassette, conversation, sample, streamed, text};
use crate::{HEADER, RecordedExchange, decode};
use ouli_message::stream::{Chunk, ChunkKind, MessageKind, Payload, StreamContent};
use ouli_message::{Content, Exchange};

#[test]
fn truncation_inside_a_stream_is_a_torn_tail() {
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
fn a_flipped_byte_of_a_stream_is_detected() {
    let recorded = [conversation(1), events(), sample(3)];
    let timeless = recorded.each_ref().map(without_times);
    let bytes = cassette(&recorded);
    for at in HEADER.len()..bytes.len() {
        for mask in [0x01, 0x02, 0x10, 0x20, 0x80] {
            let mut flipped = bytes.clone();
            flipped[at] ^= mask;
            let loaded = read(&flipped);
            let unread = !loaded.damage.is_empty() || loaded.torn_tail.is_some();
            assert!(loaded.exchanges.len() >= if unread { 1 } else { 3 });
            for found in &loaded.exchanges {
                let known = timeless.contains(&without_times(&found.exchange));
                assert!(found.edited || known, "byte {at}");
            }
        }
    }
}

/// Text in a cassette, its replacement, and the expected error.
const INVALID_STREAMS: &[(&str, &str, &str)] = &[
    (
        r#""websocket""#,
        r#""grpc""#,
        "expected `binary`, or an `end`, in a stream of `grpc`",
    ),
    (
        r#""code": 1000"#,
        r#""code": 65536"#,
        "invalid value: integer `65536`, expected u16",
    ),
    (
        r#""code": 1000,"#,
        "",
        "expected a `code` in a `close` with a reason",
    ),
    (
        r#""at": [1,"#,
        r#""at": [-1,"#,
        "invalid value: integer `-1`",
    ),
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
        "`compressed` is only allowed in a `text` or `binary`",
    ),
    (
        r#""client": "end""#,
        r#""client": "end", "code": 1"#,
        "`code` is only allowed in a `close` or an `invalid`",
    ),
    (
        r#""text": "hello""#,
        r#""text": "hello", "code": 1"#,
        "`code` is only allowed in a `close` or an `invalid`",
    ),
    (
        r#""client": "end""#,
        r#""client": "invalid", "text": "x""#,
        "expected a `code` in an `invalid`",
    ),
    (
        r#""client": "end""#,
        r#""client": "invalid", "code": 1002, "base64": "/w==""#,
        "expected UTF-8 as the reason of an `invalid`",
    ),
    (
        r#""client": "end""#,
        r#""server": "invalid", "code": 1002"#,
        "`invalid` is only allowed for the `client`",
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
fn rejects_wrong_members_and_values_of_a_stream() {
    let good = String::from_utf8(cassette(&[conversation(1), events()])).unwrap();
    for (from, to, reason) in INVALID_STREAMS {
        assert!(good.contains(from), "{from}");
        let loaded = read(good.replacen(from, to, 1).as_bytes());
        assert_eq!(loaded.exchanges.len(), 1, "{to}");
        let error = loaded.damage.first().or(loaded.torn_tail.as_ref()).unwrap();
        let found = error.error.reason.contains(reason);
        assert!(found, "{to}: {}", error.error);
    }
    let file = format!("\"file\": \"x.bodies/{}\", \"size\": 1", "0".repeat(64));
    for small in ["\"text\": \"p\"", "\"text\": \"bye\""] {
        let loaded = read(good.replacen(small, &file, 1).as_bytes());
        assert!(
            loaded.damage[0]
                .error
                .reason
                .contains("`file` is only allowed")
        );
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
        let times: Vec<_> = stream.messages().iter().map(|message| message.at).collect();
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
        let StreamContent::Chunks(_, chunks) = &found.exchange.stream.as_ref().unwrap().content
        else {
            panic!("expected chunks")
        };
        let chunks: Vec<_> = chunks
            .iter()
            .map(|Chunk { at, size }| (*at, *size))
            .collect();
        assert_eq!(chunks, expected, "{to}");
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
    let contents = [
        format!("[\n{list}]"),
        inner,
        "\n{\n  \"exchange\":".to_owned(),
    ];
    let messages = outer.stream.as_mut().unwrap().messages_mut();
    for (message, content) in messages.iter_mut().zip(&contents) {
        message.kind = MessageKind::Text(Payload {
            content: text(content),
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
        "only the text without escapes"
    );
}

fn events() -> Exchange {
    streamed(ChunkKind::Event, b"data: 1\n\ndata: 2\n\n", &[9, 9])
}

fn read_one(text: &str) -> RecordedExchange {
    let mut loaded = read(text.as_bytes());
    assert_eq!((loaded.damage, loaded.torn_tail), (vec![], None), "{text}");
    loaded.exchanges.pop().unwrap()
}
