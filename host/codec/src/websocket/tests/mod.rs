//! Shared helpers of the WebSocket tests.

mod compression;
mod fragments;
mod frames;
mod handshakes;
mod negotiation;
mod random;
mod replay_order;
mod transcripts;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Bounds, Decoder, DeflateParams, ReceivedMessage, Violation};
use ouli_message::stream::Side;

const BOUNDS: Bounds = Bounds {
    frame: 1 << 20,
    message: 4 << 20,
    ratio: 100,
};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The decoded messages, and the violation that ended them.
type Outcome = (Vec<ReceivedMessage>, Option<Violation>);

/// Decodes bytes that arrive in chunks.
fn decode_chunks<'a>(
    sender: Side,
    deflate: Option<DeflateParams>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    let mut decoder = Decoder::new(sender, BOUNDS, deflate);
    let (mut input, mut heard) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(unit)) => heard.push(unit),
                Ok(None) => break,
                Err(violation) => {
                    assert_eq!(decoder.decode(&mut input), Err(violation));
                    return (heard, Some(violation));
                }
            }
        }
        assert!(input.len() < 14, "{} bytes are left", input.len());
    }
    (heard, None)
}

/// Decodes bytes as a whole, split once at every position, and byte by byte, and checks that the
/// outcome is the same.
fn decode(sender: Side, deflate: Option<DeflateParams>, bytes: &[u8]) -> Outcome {
    let whole = decode_chunks(sender, deflate, [bytes]);
    for at in 0..=bytes.len() {
        let (before, after) = bytes.split_at(at);
        let split = decode_chunks(sender, deflate, [before, after]);
        assert_eq!(split, whole, "split at {at}");
    }
    let single = decode_chunks(sender, deflate, bytes.chunks(1));
    assert_eq!(single, whole, "byte by byte");
    whole
}

/// The number of decoded messages, and the close code of the violation after them.
fn violation(sender: Side, deflate: Option<DeflateParams>, bytes: &[u8]) -> (usize, Option<u16>) {
    let (heard, violation) = decode(sender, deflate, bytes);
    (heard.len(), violation.map(|violation| violation.code))
}

fn text(content: &str) -> ReceivedMessage {
    message(true, content.as_bytes(), false)
}

fn message(text: bool, content: &[u8], compressed: bool) -> ReceivedMessage {
    ReceivedMessage::Data {
        text,
        content: content.to_vec().into(),
        compressed,
    }
}

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        let value = HeaderValue::from_str(value).unwrap();
        map.append(HeaderName::from_static(name), value);
    }
    map
}

fn extensions(value: &str) -> HeaderMap {
    headers(&[("sec-websocket-extensions", value)])
}

/// A deterministic random number generator (xorshift, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }

    fn bytes(&mut self, size: usize) -> Vec<u8> {
        (0..size).map(|_| self.next() as u8).collect()
    }

    /// Compressible text of few repeated words.
    fn prose(&mut self, size: usize) -> Vec<u8> {
        let words = [
            "price",
            "volume",
            "träge",
            "{\"a\":1}",
            "update",
            "日本",
            "42",
        ];
        let mut out = String::new();
        while out.len() < size {
            out.push_str(words[self.below(words.len())]);
            out.push(' ');
        }
        out.into_bytes()
    }
}
