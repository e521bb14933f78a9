//! HTTP/2 origins of raw frames: one that sends the same frames for each request, and one that runs
//! a script of the test.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::PATIENCE;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

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
    /// Trailers with this `grpc-status`, and END_STREAM.
    Status(&'static str),
    /// RST_STREAM with NO_ERROR.
    Reset,
    /// RST_STREAM with an error code.
    ResetWith(u8),
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

/// A connection of a scripted origin.
pub(super) struct Peer {
    stream: TcpStream,
    /// Requests of all connections.
    requests: Arc<AtomicUsize>,
}

/// What a script has done.
pub(super) struct Scripted {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

/// Starts an origin that runs `serve` for each connection, which is closed when it returns. It is
/// given the number of the connection, from 0.
pub(super) fn scripted(
    serve: impl Fn(usize, &Peer) -> Option<()> + Send + Sync + 'static,
) -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = Scripted {
        address: listener.local_addr().unwrap(),
        connections: Arc::default(),
        requests: Arc::default(),
    };
    let (connections, requests) = (
        Arc::clone(&origin.connections),
        Arc::clone(&origin.requests),
    );
    let serve = Arc::new(serve);
    // It ends with the process; each test asks it a few times.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let number = connections.fetch_add(1, Ordering::SeqCst);
            let (serve, requests) = (Arc::clone(&serve), Arc::clone(&requests));
            let stream = stream.unwrap();
            std::thread::spawn(move || {
                let peer = Peer { stream, requests };
                peer.preface().and_then(|()| serve(number, &peer))
            });
        }
    });
    origin
}

impl Scripted {
    /// The requests and the connections so far.
    pub(super) fn seen(&self) -> (usize, usize) {
        let count = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        (count(&self.requests), count(&self.connections))
    }
}

impl Peer {
    fn preface(&self) -> Option<()> {
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        self.stream.set_nodelay(true).unwrap();
        let mut preface = [0; 24];
        (&self.stream).read_exact(&mut preface).ok()
    }

    fn send(&self, bytes: &[u8]) -> Option<()> {
        (&self.stream).write_all(bytes).ok()
    }

    /// Sends the settings, which allow so many streams.
    pub(super) fn settings(&self, max_concurrent_streams: u32) -> Option<()> {
        let mut setting = vec![0, 3];
        setting.extend(max_concurrent_streams.to_be_bytes());
        self.send(&frame(SETTINGS, 0, 0, &setting))
    }

    /// The same, with windows of 16 MiB.
    pub(super) fn wide_settings(&self, max_concurrent_streams: u32) -> Option<()> {
        const WINDOW: u32 = 16 << 20;
        let mut settings = vec![0, 3];
        settings.extend(max_concurrent_streams.to_be_bytes());
        settings.extend([0, 4]);
        settings.extend(WINDOW.to_be_bytes());
        let mut bytes = frame(SETTINGS, 0, 0, &settings);
        bytes.extend(frame(WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes()));
        self.send(&bytes)
    }

    /// Reads so many bytes of a body. No other request may come in between.
    pub(super) fn part_of_body(&self, least: usize) -> Option<()> {
        let mut length = 0;
        while length < least {
            let read = read_frame_flags(&self.stream)?;
            length += if read.kind == DATA { read.length } else { 0 };
        }
        Some(())
    }

    /// Reads up to the head of a request and gives its stream.
    pub(super) fn request(&self) -> Option<u32> {
        let stream_id = read_request(&self.stream)?;
        self.requests.fetch_add(1, Ordering::SeqCst);
        Some(stream_id)
    }

    /// A request comes within a short time. Other frames are read on the way.
    pub(super) fn has_more(&self) -> bool {
        let short = Duration::from_millis(100);
        self.stream.set_read_timeout(Some(short)).unwrap();
        let mut header = [0; 9];
        let has_more = loop {
            match self.stream.peek(&mut header) {
                Ok(9) if header[3] == HEADERS => break true,
                Ok(9) => drop(read_frame(&self.stream)),
                Ok(0) | Err(_) => break false,
                Ok(_) => std::thread::yield_now(),
            }
        };
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        has_more
    }

    /// Reads the body of a request to its end. No other request may come in between.
    pub(super) fn body(&self) -> Option<usize> {
        let mut length = 0;
        loop {
            let read = read_frame_flags(&self.stream)?;
            length += if read.kind == DATA { read.length } else { 0 };
            if read.kind == DATA && read.flags & END_STREAM != 0 {
                return Some(length);
            }
        }
    }

    /// Responds with a text.
    pub(super) fn respond(&self, stream_id: u32, text: &str) -> Option<()> {
        let mut bytes = frame(HEADERS, END_HEADERS, stream_id, &head(&[]));
        bytes.extend(frame(DATA, END_STREAM, stream_id, text.as_bytes()));
        self.send(&bytes)
    }

    /// Responds with this field block and no body.
    pub(super) fn respond_with(&self, stream_id: u32, block: &[u8]) -> Option<()> {
        let flags = END_HEADERS | END_STREAM;
        self.send(&frame(HEADERS, flags, stream_id, block))
    }

    /// Resets a stream with REFUSED_STREAM.
    pub(super) fn refuse(&self, stream_id: u32) -> Option<()> {
        self.send(&frame(RST_STREAM, 0, stream_id, &[0, 0, 0, 7]))
    }

    /// Resets a stream with ENHANCE_YOUR_CALM.
    pub(super) fn calm(&self, stream_id: u32) -> Option<()> {
        self.send(&frame(RST_STREAM, 0, stream_id, &[0, 0, 0, 11]))
    }

    /// GOAWAY with the last stream that is processed, and an error code.
    pub(super) fn go_away(&self, last_stream_id: u32, code: u8) -> Option<()> {
        let mut payload = last_stream_id.to_be_bytes().to_vec();
        payload.extend([0, 0, 0, code]);
        self.send(&frame(GOAWAY, 0, 0, &payload))
    }

    /// Waits until the other side is gone.
    pub(super) fn wait(&self) -> Option<()> {
        while read_frame(&self.stream).is_some() {}
        None
    }
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
            Frame::Status(status) => {
                let trailers = new_field("grpc-status", status);
                frame(HEADERS, END_HEADERS | END_STREAM, stream_id, &trailers)
            }
            Frame::Data(bytes, ends) => frame(DATA, u8::from(*ends), stream_id, bytes),
            Frame::Reset => frame(RST_STREAM, 0, stream_id, &[0; 4]),
            Frame::ResetWith(code) => frame(RST_STREAM, 0, stream_id, &[0, 0, 0, *code]),
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
fn read_frame(stream: &TcpStream) -> Option<(u8, u32, usize)> {
    let read = read_frame_flags(stream)?;
    Some((read.kind, read.stream_id, read.length))
}

struct ReadFrame {
    kind: u8,
    flags: u8,
    stream_id: u32,
    length: usize,
}

fn read_frame_flags(mut stream: &TcpStream) -> Option<ReadFrame> {
    let mut header = [0; 9];
    stream.read_exact(&mut header).ok()?;
    let [a, b, c, kind, flags, id @ ..] = header;
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).ok()?;
    if kind == SETTINGS && flags & ACK == 0 {
        stream.write_all(&frame(SETTINGS, ACK, 0, &[])).ok()?;
    }
    Some(ReadFrame {
        kind,
        flags,
        stream_id: u32::from_be_bytes(id),
        length,
    })
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

/// A field block of one literal with a name of its own.
fn new_field(name: &str, value: &str) -> Vec<u8> {
    let mut block = vec![0];
    for text in [name, value] {
        block.push(u8::try_from(text.len()).unwrap());
        block.extend(text.as_bytes());
    }
    block
}
