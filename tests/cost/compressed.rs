//! Content codings and compressed messages.

use bytes::Bytes;
use ouli_codec::content_coding::{Bounds, Coding, decode, encode};
use ouli_codec::websocket::{self, DeflateParams, Encoder, read_transcript};
use ouli_message::stream::{Arrival, Side};

use super::Shape;

/// Codings in the order in which they were applied.
const CODINGS: [(&str, &[Coding]); 7] = [
    ("gzip", &[Coding::Gzip]),
    ("deflate", &[Coding::Deflate]),
    ("br", &[Coding::Brotli]),
    ("zstd", &[Coding::Zstd]),
    ("gzip in gzip", &[Coding::Gzip, Coding::Gzip]),
    ("br in zstd", &[Coding::Brotli, Coding::Zstd]),
    ("gzip in chunks", &[Coding::Gzip, Coding::AwsChunked]),
];

const BOUNDS: Bounds = Bounds {
    bytes: 64 << 20,
    ratio: 100_000,
};

/// Makes a text of so many bytes.
type Make = fn(usize) -> Vec<u8>;

/// A text that compresses well, and one that does not.
const TEXTS: [(&str, Make); 2] = [
    ("zeros", |n| vec![b'0'; n]),
    ("noise", |n| {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..n).map(|_| next()).collect()
    }),
];

pub(super) fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for (text, make) in TEXTS {
        for (coding, codings) in CODINGS {
            let name = |kind: &str| -> &'static str { format!("{kind} {text} {coding}").leak() };
            let coded = move |n| encode(&make(n), codings).unwrap().to_vec();
            // The size of a shape is that of the decoded text.
            shapes.push(Shape::new(name("decode"), make, move |text| {
                let coded = coded(text.len());
                decode(Bytes::from(coded), codings, BOUNDS).unwrap().len()
            }));
        }
        let name: &'static str = format!("compressed messages of {text}").leak();
        shapes.push(Shape::new(name, make, |text| conversation(text, 64)));
        let name: &'static str = format!("a compressed message of {text}").leak();
        shapes.push(Shape::new(name, make, |text| {
            conversation(text, text.len())
        }));
    }
    shapes
}

/// Reads a conversation of compressed messages of this size.
fn conversation(text: &[u8], size: usize) -> usize {
    let deflate = Some(DeflateParams::default());
    let mut encoder = Encoder::new(Side::Server, deflate);
    let mut bytes = Vec::new();
    for part in text.chunks(size) {
        bytes.extend(encoder.message(false, part, true, None));
    }
    let arrivals = [Arrival {
        side: Side::Server,
        end: bytes.len() as u64,
        at: 1,
    }];
    let bounds = websocket::Bounds {
        frame: 1 << 20,
        message: 1 << 20,
        ratio: 100_000,
    };
    read_transcript(b"", &bytes, &arrivals, deflate, bounds, 1 << 30)
        .into_replay_order()
        .len()
}
