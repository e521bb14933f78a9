//! Streams read back as they were, and their times alone are left out of the digest.

use bytes::Bytes;

use super::round_trip::{BODIES, Random, check};
use super::{close, conversation, sample, streamed, words};
use crate::digest;
use crate::format::digest::body_digest;
use ouli_message::stream::{Ending, Form, Piece, Protocol, Said, Side, Stream, Turn, Unit, Words};
use ouli_message::{Content, Exchange};

#[test]
fn a_conversation_has_one_layout() {
    let text = String::from_utf8(check(&[conversation(5)])).unwrap();
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
fn pieces_have_one_layout() {
    let mut chunks = streamed(Unit::Chunk, b"one\r\ntwo\n", &[4, 5]);
    let shown = |exchange: &Exchange| {
        let text = String::from_utf8(check(std::slice::from_ref(exchange))).unwrap();
        let (_, text) = text.split_once("\n  \"stream\": ").unwrap();
        text.split_once(",\n  \"tags\"").unwrap().0.to_owned()
    };
    let expected = "{\n    \"unit\": \"chunk\",\n    \"sizes\": [4, 5],\n    \"at\": [0, 7]\n  }";
    assert_eq!(shown(&chunks), expected);
    chunks.stream.as_mut().unwrap().ending = Ending::Client;
    assert!(shown(&chunks).contains("\"sizes\": [4, 5],\n    \"ended\": \"client\",\n"));
    let lines = streamed(Unit::Line, b"one\r\ntwo\n", &[5, 4]);
    let expected = "{\n    \"unit\": \"line\",\n    \"at\": [0, 7]\n  }";
    assert_eq!(shown(&lines), expected);
    let nothing = streamed(Unit::Event, b"", &[]);
    assert_eq!(shown(&nothing), "{\n    \"unit\": \"event\"\n  }");
}

#[test]
fn every_message_comes_back() {
    let (websocket, grpc) = (Protocol::WebSocket, Protocol::Grpc);
    for (body, compressed) in BODIES.iter().zip([true, false].into_iter().cycle()) {
        let bytes = Bytes::from_static(body);
        let mut said = vec![
            Said::Text(words(body, compressed)),
            Said::Binary(words(body, !compressed)),
            Said::Ping(bytes.clone()),
            Said::Pong(bytes),
        ];
        for code in [None, Some(0), Some(1000), Some(u16::MAX)] {
            said.push(close(code, &String::from_utf8_lossy(body)));
        }
        said.push(Said::End);
        check(&[with_turns(websocket, said.clone()), sample(2)]);
        check(&[sample(1), with_turns(grpc, said)]);
    }
    check(&[with_turns(grpc, Vec::new())]);
}

#[test]
fn deep_json_in_a_turn_is_kept_from_other_readers() {
    for (depth, embedded) in [(100, true), (101, false), (100_000, false)] {
        let body = "[".repeat(depth) + &"]".repeat(depth);
        let said = Said::Binary(words(body.as_bytes(), false));
        let bytes = check(&[with_turns(Protocol::Grpc, vec![said])]);
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.contains("\"json\": [["), embedded, "{depth}");
        let (_, value) = text.split_once('\n').unwrap();
        serde_json::from_str::<serde_json::Value>(value).unwrap();
    }
}

#[test]
fn pieces_come_back_with_and_without_sizes() {
    let events = b"data: 1\n\n: note\r\n\r\n\ndata: 2";
    let cases: [(Unit, &[u8], &[u64], bool); 9] = [
        (Unit::Event, events, &[9, 10, 1, 7], false),
        (Unit::Event, events, &[9, 11, 7], true),
        (Unit::Event, events, &[9, 10, 1, 7, 0], true),
        (Unit::Event, b"", &[], false),
        (Unit::Line, b"{}\n[]\r\n\n1", &[3, 4, 1, 1], false),
        (Unit::Line, b"{}\n[]\r\n\n1", &[3, 0, 6], true),
        (Unit::Chunk, b"abc", &[0, 1, 2], true),
        (Unit::Chunk, b"", &[0], true),
        (Unit::Chunk, b"", &[], false),
    ];
    for (unit, body, sizes, noted) in cases {
        let mut exchange = streamed(unit, body, sizes);
        let bytes = check(&[exchange.clone(), sample(2)]);
        assert_eq!(has_sizes(&bytes), noted, "{unit:?} {sizes:?}");
        exchange.response.body = Content::Stored {
            digest: body_digest(body),
            size: body.len() as u64,
        };
        let bytes = check(&[exchange]);
        assert_eq!(has_sizes(&bytes), !sizes.is_empty(), "{unit:?} {sizes:?}");
    }
}

#[test]
fn stored_messages_come_back_as_their_names() {
    let content = Content::Stored {
        digest: body_digest(b"large"),
        size: 5,
    };
    let stored = |compressed| Words {
        content: content.clone(),
        compressed,
    };
    let said = vec![Said::Text(stored(false)), Said::Binary(stored(true))];
    let text = String::from_utf8(check(&[with_turns(Protocol::Grpc, said)])).unwrap();
    let file = format!("\"file\": \"name.bodies/{}\",\n", body_digest(b"large"));
    assert_eq!(text.matches(&file).count(), 2, "{text}");
}

#[test]
fn random_streams_come_back() {
    let mut random = Random(0x57ea);
    for _ in 0..3000 {
        let exchanges: Vec<_> = (0..random.below(3))
            .map(|_| {
                let mut exchange = random.exchange();
                exchange.stream = random.stream(exchange.response.body.size());
                exchange
            })
            .collect();
        check(&exchanges);
    }
}

#[test]
fn only_times_are_left_out_of_the_digest() {
    type Case = (Exchange, fn(&mut Exchange));
    let same: [Case; 2] = [
        (conversation(1), |it| turn(it, 3).at = 7),
        (events(), |it| {
            it.stream = streamed(Unit::Event, b"", &[3, 3]).stream
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
            it.stream = streamed(Unit::Line, b"", &[3, 3]).stream
        }),
        (events(), |it| {
            it.stream = streamed(Unit::Event, b"", &[2, 4]).stream
        }),
        (events(), |it| {
            it.stream = streamed(Unit::Event, b"", &[3, 3, 0]).stream
        }),
        (conversation(1), |it| stream(it).ending = Ending::Complete),
        (conversation(1), |it| stream(it).ending = Ending::Client),
        (conversation(1), |it| {
            stream(it).form = Form::Turns(Protocol::WebSocket, Vec::new())
        }),
        (conversation(1), |it| turn(it, 0).side = Side::Server),
        (conversation(1), |it| {
            turn(it, 0).said = Said::Binary(words(b"hello", false))
        }),
        (conversation(1), |it| {
            turn(it, 0).said = Said::Text(words(b"hello", true))
        }),
        (conversation(1), |it| {
            turn(it, 0).said = Said::Text(words(b"hellO", false))
        }),
        (conversation(1), |it| {
            turn(it, 5).said = Said::Pong(Bytes::from_static(b"p"))
        }),
        (conversation(1), |it| turn(it, 7).said = close(Some(0), "")),
        (conversation(1), |it| {
            turn(it, 8).said = close(Some(1000), "by")
        }),
        (conversation(1), |it| {
            turn(it, 9).said = Said::Ping(Bytes::new())
        }),
        (conversation(1), |it| stream(it).turns_mut().swap(0, 4)),
    ];
    for (index, (base, change)) in changes.into_iter().enumerate() {
        let mut other = base.clone();
        change(&mut other);
        assert_ne!(digest(&base), digest(&other), "change {index}");
    }
    let said = vec![Said::End];
    let [one, other] = [Protocol::WebSocket, Protocol::Grpc].map(|it| with_turns(it, said.clone()));
    assert_ne!(digest(&one), digest(&other));
}

#[test]
fn the_place_of_a_message_does_not_count() {
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
    streamed(Unit::Event, b"a\n\nb\n\n", &[3, 3])
}

fn stream(exchange: &mut Exchange) -> &mut Stream {
    exchange.stream.as_mut().unwrap()
}

fn turn(exchange: &mut Exchange, index: usize) -> &mut Turn {
    &mut stream(exchange).turns_mut()[index]
}

fn with_turns(protocol: Protocol, said: Vec<Said>) -> Exchange {
    let mut exchange = conversation(1);
    let turns = said.into_iter().map(|said| Turn {
        side: Side::Server,
        at: u64::MAX,
        said,
    });
    exchange.stream = Some(Stream {
        form: Form::Turns(protocol, turns.collect()),
        ending: Ending::Complete,
    });
    exchange
}

fn has_sizes(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"\n    \"sizes\": [").is_some()
}

impl Random {
    /// Any stream that a body of `size` bytes can have.
    fn stream(&mut self, size: u64) -> Option<Stream> {
        let form = match self.below(6) {
            0 => return None,
            1 => Form::Pieces(Unit::Event, self.pieces(size)),
            2 => Form::Pieces(Unit::Line, self.pieces(size)),
            3 => Form::Pieces(Unit::Chunk, self.pieces(size)),
            4 => Form::Turns(Protocol::WebSocket, self.turns()),
            _ => Form::Turns(Protocol::Grpc, self.turns()),
        };
        let endings = [Ending::Complete, Ending::Client, Ending::Server];
        let ending = endings[self.below(3) as usize];
        Some(Stream { form, ending })
    }

    fn pieces(&mut self, mut left: u64) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while left > 0 || self.below(4) == 0 {
            let size = self.below(left + 1);
            let at = self.next();
            pieces.push(Piece { at, size });
            left -= size;
        }
        pieces
    }

    fn turns(&mut self) -> Vec<Turn> {
        let one = |this: &mut Self| Turn {
            side: [Side::Client, Side::Server][this.below(2) as usize],
            at: this.next(),
            said: this.said(),
        };
        (0..self.below(6)).map(|_| one(self)).collect()
    }

    fn said(&mut self) -> Said {
        let words = Words {
            content: self.body(),
            compressed: self.below(2) == 0,
        };
        match self.below(6) {
            0 => Said::Text(words),
            1 => Said::Binary(words),
            2 => Said::Ping(Bytes::copy_from_slice(words.content.inline())),
            3 => Said::Pong(Bytes::copy_from_slice(words.content.inline())),
            4 => close(
                words.compressed.then_some(self.next() as u16),
                &self.words(3),
            ),
            _ => Said::End,
        }
    }
}
