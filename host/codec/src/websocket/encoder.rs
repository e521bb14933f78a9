//! Messages and control frames as bytes on the wire.

use bytes::Bytes;

use super::DeflateParams;
use super::deflate::Deflater;
use super::frame::{Head, MAX_CONTROL, MAX_HEAD, Opcode, mask};
use ouli_message::stream::Side;

/// Writes what one side of a conversation says. Each message is one frame.
///
/// A client has to give a mask for each frame, four bytes that nobody can foretell (RFC 6455,
/// section 5.3); a server gives none.
#[derive(Debug)]
pub struct Encoder {
    deflater: Option<Deflater>,
}

impl Encoder {
    /// An encoder for what `sender` says, with what was agreed on compression.
    pub fn new(sender: Side, deflate: Option<DeflateParams>) -> Self {
        let deflater = deflate.map(|deflate| Deflater::new(sender, &deflate));
        Self { deflater }
    }

    /// A message, compressed where that is wished and agreed on. It goes uncompressed too where the
    /// window agreed on is the smallest one, of 256 bytes: a sender never has to compress.
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

    /// A ping; of its body the first 125 bytes, which is all that may stand in one.
    pub fn ping(&self, body: &[u8], mask: Option<[u8; 4]>) -> Bytes {
        frame(Opcode::Ping, false, truncate_control(body), mask)
    }

    /// A pong; of its body the first 125 bytes.
    pub fn pong(&self, body: &[u8], mask: Option<[u8; 4]>) -> Bytes {
        frame(Opcode::Pong, false, truncate_control(body), mask)
    }

    /// A close frame, empty where there is no code; of the reason the first 123 bytes, cut at the
    /// end of a character.
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
