//! HTTP/2 frames (RFC 9113, section 4) whose fields are written without validation.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};

use super::client;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// How the stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With status 200.
    Answered,
    /// With another status.
    Refused,
    /// The stream was reset or the connection closed.
    Reset,
    /// No response arrived.
    Silence,
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Encodes fields as literals without indexing and without compression (RFC 7541, section 6.2.2).
pub(crate) fn block(fields: &Fields) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        text(name, &mut block);
        text(value, &mut block);
    }
    block
}

/// Encodes an integer and a string (RFC 7541, sections 5.1 and 5.2).
fn text(text: &[u8], block: &mut Vec<u8>) {
    let mut rest = text.len();
    if rest < 127 {
        block.push(rest.to_le_bytes()[0]);
    } else {
        block.push(127);
        rest -= 127;
        while rest >= 128 {
            block.push(rest.to_le_bytes()[0] | 128);
            rest >>= 7;
        }
        block.push(rest.to_le_bytes()[0]);
    }
    block.extend(text);
}

/// Opens a connection, sends these frames, and waits for the end of stream 1.
pub(crate) fn send(address: SocketAddr, frames: &[u8]) -> Ended {
    let mut stream = client::connect(address);
    let start = [PREFACE, &frame(SETTINGS, 0, 0, &[]), frames].concat();
    // A peer that rejects the first bytes need not read the others.
    let _ = stream.write_all(&start);
    ended(&mut stream)
}

fn ended(stream: &mut TcpStream) -> Ended {
    let mut read = Vec::new();
    let mut answer = Ended::Reset;
    loop {
        while let Some((kind, flags, number, payload)) = next(&mut read) {
            match (kind, number) {
                (HEADERS, 1) => {
                    // Size updates of the table may precede the fields (RFC 7541, section 6.3).
                    let first = payload.iter().find(|byte| **byte >> 5 != 1);
                    // Entry 8 of the static table is `:status: 200`.
                    let is_good = first == Some(&0x88);
                    answer = if is_good {
                        Ended::Answered
                    } else {
                        Ended::Refused
                    };
                }
                (RST_STREAM, 1) | (GOAWAY, _) if answer == Ended::Reset => return answer,
                _ => {}
            }
            if number == 1 && matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
                return answer;
            }
        }
        match client::receive(stream, &mut read) {
            Some(true) => {}
            Some(false) => return answer,
            None => return Ended::Silence,
        }
    }
}

/// Type, flags, stream and payload of the next complete frame.
fn next(read: &mut Vec<u8>) -> Option<(u8, u8, u32, Vec<u8>)> {
    let head = read.get(..9)?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let (kind, flags) = (head[3], head[4]);
    let number = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    let payload = read.get(9..9 + length)?.to_vec();
    read.drain(..9 + length);
    Some((kind, flags, number, payload))
}
