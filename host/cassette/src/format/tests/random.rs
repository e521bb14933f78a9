//! Random exchanges and streams.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use crate::test_exchanges::{close, sample};
use ouli_message::stream::{
    Chunk, ChunkKind, Ending, Message, MessageKind, Payload, Protocol, Side, Stream, StreamContent,
};
use ouli_message::{Content, Exchange, Fields};

/// Bodies that are hard to encode.
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

/// A xorshift random number generator (Marsaglia).
pub(super) struct Xorshift(pub(super) u64);

impl Xorshift {
    fn next(&mut self) -> u64 {
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
        exchange.endpoint = self.text(3);
        exchange.request.target = self.text(4);
        exchange.request.fields = self.fields();
        exchange.request.body = self.body();
        exchange.response.fields = self.fields();
        exchange.response.body = self.body();
        exchange.response.trailers = self.fields();
        exchange.tags = (0..self.below(3))
            .map(|_| (self.text(2), self.text(2)))
            .collect();
        exchange
    }

    fn body(&mut self) -> Content {
        let bytes = match self.below(4) {
            0 => BODIES[self.below(BODIES.len() as u64) as usize].to_vec(),
            1 => (0..self.below(40)).map(|_| self.next() as u8).collect(),
            2 => self.text(12).into_bytes(),
            _ => serde_json::to_vec(&vec![self.text(4), self.text(4)]).unwrap(),
        };
        Content::Inline(Bytes::from(bytes))
    }

    fn text(&mut self, max_words: u64) -> String {
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
        (0..self.below(max_words + 1))
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

    /// A random stream for a response body of `size` bytes.
    pub(super) fn stream(&mut self, size: u64) -> Option<Stream> {
        let content = match self.below(6) {
            0 => return None,
            1 => StreamContent::Chunks(ChunkKind::Event, self.chunks(size)),
            2 => StreamContent::Chunks(ChunkKind::Line, self.chunks(size)),
            3 => StreamContent::Chunks(ChunkKind::Raw, self.chunks(size)),
            4 => StreamContent::Messages(Protocol::WebSocket, self.messages()),
            _ => {
                let mut messages = self.messages();
                messages.retain(|it| matches!(it.kind, MessageKind::Binary(_) | MessageKind::End));
                StreamContent::Messages(Protocol::Grpc, messages)
            }
        };
        let endings = [
            Ending::Complete,
            Ending::ClientAborted,
            Ending::ServerAborted,
        ];
        let ending = endings[self.below(3) as usize];
        Some(Stream { content, ending })
    }

    fn chunks(&mut self, mut left: u64) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        while left > 0 || self.below(4) == 0 {
            let size = self.below(left + 1);
            let at = self.next();
            chunks.push(Chunk { at, size });
            left -= size;
        }
        chunks
    }

    fn messages(&mut self) -> Vec<Message> {
        let message = |random: &mut Self| Message {
            side: [Side::Client, Side::Server][random.below(2) as usize],
            at: random.next(),
            kind: random.message_kind(),
        };
        (0..self.below(6)).map(|_| message(self)).collect()
    }

    fn message_kind(&mut self) -> MessageKind {
        let payload = Payload {
            content: self.body(),
            compressed: self.below(2) == 0,
        };
        match self.below(6) {
            0 => MessageKind::Text(payload),
            1 => MessageKind::Binary(payload),
            2 => MessageKind::Ping(Bytes::copy_from_slice(payload.content.inline())),
            3 => MessageKind::Pong(Bytes::copy_from_slice(payload.content.inline())),
            4 if payload.compressed => close(Some(1000 + self.below(5) as u16), &self.text(3)),
            4 => close(None, ""),
            _ => MessageKind::End,
        }
    }
}
