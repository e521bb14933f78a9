//! Encoded streams decode to the same streams, and the digest covers all but their times.

use bytes::Bytes;

use super::check_round_trip;
use super::random::{BODIES, Xorshift};
use crate::test_exchanges::{close, conversation, payload, sample, streamed};
use crate::{body_digest, digest};
use ouli_message::stream::{
    ChunkKind, Ending, Message, MessageKind, Payload, Protocol, Side, Stream, StreamContent,
};
use ouli_message::{Content, Exchange};

#[test]
fn encodes_a_violation() {
    let invalid = |code, reason: &str| Message {
        side: Side::Client,
        at: 0,
        kind: MessageKind::Invalid {
            code,
            reason: reason.to_owned(),
        },
    };
    let exchange = |message| Exchange {
        stream: Some(Stream {
            content: StreamContent::Messages(Protocol::WebSocket, vec![message]),
            ending: Ending::Complete,
        }),
        ..sample(1)
    };
    let exchanges = [
        exchange(invalid(1002, "a frame has a reserved bit")),
        exchange(invalid(1007, "")),
    ];
    let text = String::from_utf8(check_round_trip(&exchanges)).unwrap();
    let expected = r#"
      {
        "client": "invalid",
        "code": 1002,
        "text": "a frame has a reserved bit"
      }
"#;
    assert!(text.contains(expected), "{text}");
    assert_ne!(digest(&exchanges[0]), digest(&exchanges[1]));
}

#[test]
fn encodes_a_conversation() {
    let text = String::from_utf8(check_round_trip(&[conversation(5)])).unwrap();
    let (_, text) = text.split_once("\n  },\n  \"stream\"").unwrap();
    let (stream, _) = text.split_once(",\n  \"tags\"").unwrap();
    let expected = r#": {
    "protocol": "websocket",
    "turns": [
      {
        "client": "text",
        "text": "hello"
      },
      {
        "server": "text",
        "before": " ",
        "json": {"a":  [1]},
        "after": "\n"
      },
      {
        "server": "binary",
        "compressed": true,
        "base64": "/wA="
      },
      {
        "client": "text",
        "compressed": true
      },
      {
        "server": "text",
        "text": [
          "one\n",
          "two"
        ]
      },
      {
        "client": "ping",
        "text": "p"
      },
      {
        "server": "pong",
        "base64": "/g=="
      },
      {
        "server": "close"
      },
      {
        "client": "close",
        "code": 1000,
        "text": "bye"
      },
      {
        "client": "end"
      }
    ],
    "ended": "server",
    "at": [5, 1005, 2005, 3005, 4005, 5005, 6005, 7005, 8005, 9005]
  }"#;
    assert_eq!(stream, expected);
}

#[test]
fn encodes_chunks() {
    let mut chunks = streamed(ChunkKind::Raw, b"one\r\ntwo\n", &[4, 5]);
    let stream_text = |exchange: &Exchange| {
        let text = String::from_utf8(check_round_trip(std::slice::from_ref(exchange))).unwrap();
        let (_, text) = text.split_once("\n  \"stream\": ").unwrap();
        text.split_once(",\n  \"tags\"").unwrap().0.to_owned()
    };
    let expected = "{\n    \"unit\": \"chunk\",\n    \"sizes\": [4, 5],\n    \"at\": [0, 7]\n  }";
    assert_eq!(stream_text(&chunks), expected);
    chunks.stream.as_mut().unwrap().ending = Ending::ClientAborted;
    assert!(stream_text(&chunks).contains("\"sizes\": [4, 5],\n    \"ended\": \"client\",\n"));
    let lines = streamed(ChunkKind::Line, b"one\r\ntwo\n", &[5, 4]);
    let expected = "{\n    \"unit\": \"line\",\n    \"at\": [0, 7]\n  }";
    assert_eq!(stream_text(&lines), expected);
    let empty = streamed(ChunkKind::Event, b"", &[]);
    assert_eq!(stream_text(&empty), "{\n    \"unit\": \"event\"\n  }");
}

#[test]
fn every_message_round_trips() {
    let (websocket, grpc) = (Protocol::WebSocket, Protocol::Grpc);
    for (body, compressed) in BODIES.iter().zip([true, false].into_iter().cycle()) {
        let bytes = Bytes::from_static(body);
        let mut kinds = vec![
            MessageKind::Text(payload(body, compressed)),
            MessageKind::Binary(payload(body, !compressed)),
            MessageKind::Ping(bytes.clone()),
            MessageKind::Pong(bytes),
        ];
        kinds.push(close(None, ""));
        for code in [Some(1000), Some(2999), Some(4999)] {
            kinds.push(close(code, &String::from_utf8_lossy(body)));
        }
        kinds.push(MessageKind::End);
        check_round_trip(&[with_messages(websocket, kinds), sample(2)]);
        let of_grpc = vec![
            MessageKind::Binary(payload(body, compressed)),
            MessageKind::End,
        ];
        check_round_trip(&[sample(1), with_messages(grpc, of_grpc)]);
    }
    check_round_trip(&[with_messages(grpc, Vec::new())]);
}

#[test]
fn deep_json_in_a_message_is_not_embedded() {
    for (depth, embedded) in [(100, true), (101, false), (100_000, false)] {
        let body = "[".repeat(depth) + &"]".repeat(depth);
        let message = MessageKind::Binary(payload(body.as_bytes(), false));
        let bytes = check_round_trip(&[with_messages(Protocol::Grpc, vec![message])]);
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.contains("\"json\": [["), embedded, "{depth}");
        let (_, value) = text.split_once('\n').unwrap();
        serde_json::from_str::<serde_json::Value>(value).unwrap();
    }
}

#[test]
fn chunks_round_trip_with_and_without_sizes() {
    let events = b"data: 1\n\n: note\r\n\r\n\ndata: 2";
    let cases: [(ChunkKind, &[u8], &[u64], bool); 9] = [
        (ChunkKind::Event, events, &[9, 10, 1, 7], false),
        (ChunkKind::Event, events, &[9, 11, 7], true),
        (ChunkKind::Event, events, &[9, 10, 1, 7, 0], true),
        (ChunkKind::Event, b"", &[], false),
        (ChunkKind::Line, b"{}\n[]\r\n\n1", &[3, 4, 1, 1], false),
        (ChunkKind::Line, b"{}\n[]\r\n\n1", &[3, 0, 6], true),
        (ChunkKind::Raw, b"abc", &[0, 1, 2], true),
        (ChunkKind::Raw, b"", &[0], true),
        (ChunkKind::Raw, b"", &[], false),
    ];
    for (unit, body, sizes, has_stored_sizes) in cases {
        let mut exchange = streamed(unit, body, sizes);
        let bytes = check_round_trip(&[exchange.clone(), sample(2)]);
        assert_eq!(has_sizes(&bytes), has_stored_sizes, "{unit:?} {sizes:?}");
        exchange.response.body = Content::Stored {
            digest: body_digest(body),
            size: body.len() as u64,
        };
        let bytes = check_round_trip(&[exchange]);
        assert_eq!(has_sizes(&bytes), !sizes.is_empty(), "{unit:?} {sizes:?}");
    }
}

#[test]
fn stored_messages_round_trip_as_references() {
    let content = Content::Stored {
        digest: body_digest(b"large"),
        size: 5,
    };
    let stored = |compressed| Payload {
        content: content.clone(),
        compressed,
    };
    let kinds = vec![
        MessageKind::Text(stored(false)),
        MessageKind::Binary(stored(true)),
    ];
    let text = String::from_utf8(check_round_trip(&[with_messages(
        Protocol::WebSocket,
        kinds,
    )]))
    .unwrap();
    let file = format!("\"file\": \"name.bodies/{}\",\n", body_digest(b"large"));
    assert_eq!(text.matches(&file).count(), 2, "{text}");
}

#[test]
fn random_streams_round_trip() {
    let mut random = Xorshift(0x57ea);
    for _ in 0..3000 {
        let exchanges: Vec<_> = (0..random.below(3))
            .map(|_| {
                let mut exchange = random.exchange();
                exchange.stream = random.stream(exchange.response.body.size());
                exchange
            })
            .collect();
        check_round_trip(&exchanges);
    }
}

#[test]
fn only_times_are_left_out_of_the_digest() {
    type Case = (Exchange, fn(&mut Exchange));
    let same: [Case; 2] = [
        (conversation(1), |it| message(it, 3).at = 7),
        (events(), |it| {
            it.stream = streamed(ChunkKind::Event, b"", &[3, 3]).stream
        }),
    ];
    for (base, change) in same {
        let mut other = base.clone();
        change(&mut other);
        assert_eq!(digest(&base), digest(&other));
    }
    let changes: [Case; 16] = [
        (sample(1), |it| it.stream = events().stream),
        (events(), |it| {
            it.stream = streamed(ChunkKind::Line, b"", &[3, 3]).stream
        }),
        (events(), |it| {
            it.stream = streamed(ChunkKind::Event, b"", &[2, 4]).stream
        }),
        (events(), |it| {
            it.stream = streamed(ChunkKind::Event, b"", &[3, 3, 0]).stream
        }),
        (conversation(1), |it| stream(it).ending = Ending::Complete),
        (conversation(1), |it| {
            stream(it).ending = Ending::ClientAborted
        }),
        (conversation(1), |it| {
            stream(it).content = StreamContent::Messages(Protocol::WebSocket, Vec::new())
        }),
        (conversation(1), |it| message(it, 0).side = Side::Server),
        (conversation(1), |it| {
            message(it, 0).kind = MessageKind::Binary(payload(b"hello", false))
        }),
        (conversation(1), |it| {
            message(it, 0).kind = MessageKind::Text(payload(b"hello", true))
        }),
        (conversation(1), |it| {
            message(it, 0).kind = MessageKind::Text(payload(b"hellO", false))
        }),
        (conversation(1), |it| {
            message(it, 5).kind = MessageKind::Pong(Bytes::from_static(b"p"))
        }),
        (conversation(1), |it| {
            message(it, 7).kind = close(Some(0), "")
        }),
        (conversation(1), |it| {
            message(it, 8).kind = close(Some(1000), "by")
        }),
        (conversation(1), |it| {
            message(it, 9).kind = MessageKind::Ping(Bytes::new())
        }),
        (conversation(1), |it| stream(it).messages_mut().swap(0, 4)),
    ];
    for (index, (base, change)) in changes.into_iter().enumerate() {
        let mut other = base.clone();
        change(&mut other);
        assert_ne!(digest(&base), digest(&other), "change {index}");
    }
    let kinds = vec![MessageKind::End];
    let [one, other] =
        [Protocol::WebSocket, Protocol::Grpc].map(|it| with_messages(it, kinds.clone()));
    assert_ne!(digest(&one), digest(&other));
}

#[test]
fn stored_and_inline_messages_have_the_same_digest() {
    let inline = conversation(1);
    let mut stored = inline.clone();
    for content in stored.contents_mut().filter(|it| it.size() > 0) {
        *content = Content::Stored {
            digest: body_digest(content.inline()),
            size: content.size(),
        };
    }
    assert_ne!(inline, stored);
    assert_eq!(digest(&inline), digest(&stored));
}

/// Made from the description of the format by another program.
#[test]
fn digests_are_those_of_the_format() {
    let cases = [
        (sample(1), "sha256:0348dbf18afcaa8844d6e75c1f2fc21c"),
        (events(), "sha256:3c1beb362f8e77d37e745f32764c9d21"),
        (conversation(1), "sha256:1d68af2b9a4b8da7459159e790c2516d"),
    ];
    for (exchange, expected) in cases {
        assert_eq!(digest(&exchange), expected);
    }
}

fn events() -> Exchange {
    streamed(ChunkKind::Event, b"a\n\nb\n\n", &[3, 3])
}

fn stream(exchange: &mut Exchange) -> &mut Stream {
    exchange.stream.as_mut().unwrap()
}

fn message(exchange: &mut Exchange, index: usize) -> &mut Message {
    &mut stream(exchange).messages_mut()[index]
}

fn with_messages(protocol: Protocol, kinds: Vec<MessageKind>) -> Exchange {
    let mut exchange = conversation(1);
    let messages = kinds.into_iter().map(|kind| Message {
        side: Side::Server,
        at: u64::MAX,
        kind,
    });
    exchange.stream = Some(Stream {
        content: StreamContent::Messages(protocol, messages.collect()),
        ending: Ending::Complete,
    });
    exchange
}

fn has_sizes(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"\n    \"sizes\": [").is_some()
}
