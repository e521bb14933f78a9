//! An HTTP/2 origin of raw frames that sends the same frames for each request.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::support::PATIENCE;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame of the response.
#[derive(Clone, Debug)]
pub(super) enum Frame {
    /// Status 200 with these fields; true for END_STREAM.
    Head(&'static [(u8, &'static str)], bool),
    Data(&'static [u8], bool),
    /// Empty trailers with END_STREAM.
    Trailers,
    /// RST_STREAM with NO_ERROR.
    Reset,
    /// GOAWAY with NO_ERROR that does not cover the stream.
    GoAway,
    /// Waits for this number of bytes of the request body.
    AwaitBody(usize),
}

/// The index of a field name in the static table (RFC 7541, appendix A).
pub(super) const CONTENT_LENGTH: u8 = 28;
pub(super) const CONTENT_TYPE: u8 = 31;

/// Starts an origin; returns its address.
pub(super) fn start(frames: Vec<Frame>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // The thread runs until the process exits; each test sends only a few requests.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let frames = frames.clone();
            std::thread::spawn(move || serve(&stream.unwrap(), &frames));
        }
    });
    address
}

/// None if the peer closed the connection.
fn serve(mut stream: &TcpStream, frames: &[Frame]) -> Option<()> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).ok()?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).ok()?;
    loop {
        let stream_id = read_request(stream)?;
        answer(stream, stream_id, frames)?;
    }
}

fn answer(mut stream: &TcpStream, stream_id: u32, frames: &[Frame]) -> Option<()> {
    let mut body = 0;
    for step in frames {
        let bytes = match step {
            Frame::Head(fields, ends) => {
                let flags = END_HEADERS | if *ends { END_STREAM } else { 0 };
                frame(HEADERS, flags, stream_id, &head(fields))
            }
            Frame::Trailers => frame(HEADERS, END_HEADERS | END_STREAM, stream_id, &[]),
            Frame::Data(bytes, ends) => frame(DATA, u8::from(*ends), stream_id, bytes),
            Frame::Reset => frame(RST_STREAM, 0, stream_id, &[0; 4]),
            Frame::GoAway => frame(GOAWAY, 0, 0, &[0; 8]),
            Frame::AwaitBody(length) => {
                while body < *length {
                    let (kind, _, length) = read_frame(stream)?;
                    body += if kind == DATA { length } else { 0 };
                }
                continue;
            }
        };
        stream.write_all(&bytes).ok()?;
    }
    Some(())
}

/// Reads up to the head of a request and returns its stream id.
fn read_request(stream: &TcpStream) -> Option<u32> {
    loop {
        let (kind, stream_id, _) = read_frame(stream)?;
        if kind == HEADERS {
            return Some(stream_id);
        }
    }
}

/// The type, the stream and the length of the next frame.
fn read_frame(mut stream: &TcpStream) -> Option<(u8, u32, usize)> {
    let mut header = [0; 9];
    stream.read_exact(&mut header).ok()?;
    let [a, b, c, kind, flags, id @ ..] = header;
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).ok()?;
    if kind == SETTINGS && flags & ACK == 0 {
        stream.write_all(&frame(SETTINGS, ACK, 0, &[])).ok()?;
    }
    Some((kind, u32::from_be_bytes(id), length))
}

fn frame(kind: u8, flags: u8, stream_id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream_id.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A field block without Huffman coding: literals whose names are in the static table.
fn head(fields: &[(u8, &str)]) -> Vec<u8> {
    const STATUS_200: u8 = 0x88;
    let mut block = vec![STATUS_200];
    for (name, value) in fields {
        block.extend([0x0f, name - 15, u8::try_from(value.len()).unwrap()]);
        block.extend(value.as_bytes());
    }
    block
}
