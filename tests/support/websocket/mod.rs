//! WebSockets for tests: a client of raw frames, written from RFC 6455 alone, and an origin.

mod client;
mod origin;

pub(crate) use client::{Peer, Way};
pub(crate) use origin::{SocketOrigin, socket_origin, socket_origin_with};

/// A frame as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// FIN, the reserved bits and the opcode.
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

/// FIN and an opcode (RFC 6455, section 5.2).
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// A masked frame, which a client must send (RFC 6455, section 5.3).
pub(crate) fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = head(first, payload.len(), 0x80);
    frame.extend(mask);
    let masked = payload.iter().zip(mask.iter().cycle());
    frame.extend(masked.map(|(byte, mask)| byte ^ mask));
    frame
}

/// A frame without a mask, which only a server may send.
pub(crate) fn bare(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    [head(first, payload.len(), 0), payload.to_vec()].concat()
}

/// The first bytes of a frame, with the length in the shortest form.
fn head(first: u8, length: usize, mask: u8) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..=125 => head.push(mask | length as u8),
        126..=0xffff => {
            head.push(mask | 126);
            head.extend((length as u16).to_be_bytes());
        }
        _ => {
            head.push(mask | 127);
            head.extend((length as u64).to_be_bytes());
        }
    }
    head
}

/// A close frame of a client.
pub(crate) fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(CLOSE, close_body(code, reason))
}

/// The payload of a close frame.
pub(crate) fn close_body(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason.as_bytes()].concat()
}

impl Frame {
    /// The code of a close frame.
    pub(crate) fn code(&self) -> Option<u16> {
        let code = self.payload.first_chunk::<2>();
        code.filter(|_| self.first == CLOSE)
            .map(|code| u16::from_be_bytes(*code))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}
