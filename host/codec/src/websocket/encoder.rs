//! Encodes messages and control frames.

use bytes::Bytes;

use super::DeflateParams;
use super::deflate::Deflater;
use super::frame::{Head, MAX_CONTROL, MAX_HEAD, Opcode, mask};
use ouli_message::stream::Side;

/// Encodes the messages of one side, each as one frame.
///
/// A client must pass an unpredictable mask for each frame (RFC 6455, section 5.3). A server passes
/// none.
#[derive(Debug)]
pub struct Encoder {
    deflater: Option<Deflater>,
}

impl Encoder {
    /// An encoder for the messages of `sender`, with the negotiated compression.
    pub fn new(sender: Side, deflate: Option<DeflateParams>) -> Self {
        let deflater = deflate.map(|deflate| Deflater::new(sender, &deflate));
        Self { deflater }
    }

    /// A message, compressed if `compressed` is set and compression is negotiated. With the
    /// smallest window of 256 bytes it stays uncompressed, since a sender never has to compress.
    pub fn message(
        &mut self,
        text: bool,
        content: &[u8],
        compressed: bool,
        mask: Option<[u8; 4]>,
    ) -> Bytes {
        let opcode = if text { Opcode::Text } else { Opcode::Binary };
        let deflater = self.deflater.as_mut().filter(|_| compressed);
        match deflater.and_then(|deflater| deflater.message(content)) {
            Some(deflated) => frame(opcode, true, &deflated, mask),
            None => frame(opcode, false, content, mask),
        }
    }

    /// A ping. Its body is truncated to the maximum of 125 bytes.
    pub fn ping(&self, body: &[u8], mask: Option<[u8; 4]>) -> Bytes {
        frame(Opcode::Ping, false, truncate_control(body), mask)
    }

    /// A pong. Its body is truncated to 125 bytes.
    pub fn pong(&self, body: &[u8], mask: Option<[u8; 4]>) -> Bytes {
        frame(Opcode::Pong, false, truncate_control(body), mask)
    }

    /// A close frame, empty without a code. The reason is truncated to 123 bytes at a character
    /// boundary.
    pub fn close(&self, code: Option<u16>, reason: &str, mask: Option<[u8; 4]>) -> Bytes {
        let mut body = Vec::new();
        if let Some(code) = code {
            body.extend_from_slice(&code.to_be_bytes());
            let end = reason.floor_char_boundary(MAX_CONTROL - body.len());
            body.extend_from_slice(&reason.as_bytes()[..end]);
        }
        frame(Opcode::Close, false, &body, mask)
    }
}

fn truncate_control(body: &[u8]) -> &[u8] {
    &body[..body.len().min(MAX_CONTROL)]
}

fn frame(opcode: Opcode, compressed: bool, body: &[u8], key: Option<[u8; 4]>) -> Bytes {
    let head = Head {
        fin: true,
        compressed,
        opcode,
        mask: key,
        size: body.len() as u64,
    };
    let mut out = Vec::with_capacity(MAX_HEAD + body.len());
    head.write(&mut out);
    let start = out.len();
    out.extend_from_slice(body);
    if let Some(key) = key {
        mask(&mut out[start..], key, 0);
    }
    out.into()
}
