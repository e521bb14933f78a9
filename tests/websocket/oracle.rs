//! The frame decoder and encoder compared with tungstenite on random conversations.
//!
//! Both read the same messages and give the same verdict. These differences are intended:
//!
//! - A status code that no close frame may have is a violation here (1002). tungstenite reports a
//!   close with code 1002 and the reason "Protocol violation" instead ([`close_of`]).
//! - 1014, which IANA registered after RFC 6455, is accepted here. tungstenite rejects it like a
//!   code that no frame may have ([`CLOSE_CODES`] leaves it out).
//! - A length whose highest bit is set is a protocol error (1002, RFC 6455, section 5.2).
//!   tungstenite reports a message that is too large ([`Fault::HighestLengthBit`]).
//! - A violation is reported at its first byte, so a truncated frame may be rejected here before
//!   tungstenite has received it completely ([`truncated_streams_are_read_alike`]).

use std::io::{self, Read, Write};

use bytes::BytesMut;
use ouli_codec::websocket::{Bounds, Decoder, Encoder, ReceivedMessage};
use ouli_message::stream::Side;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

use super::stream_generator::{FRAME_LIMIT, Fault, MESSAGE_LIMIT, Stream, message, stream};
use crate::support::seeded::Random;

/// The number of seeds of each test.
const SEEDS: u64 = 1000;

/// The result of reading a stream: its messages and its end.
#[derive(Debug, PartialEq)]
struct Reading {
    messages: Vec<ReceivedMessage>,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// More bytes are needed.
    Incomplete,
    /// The peer sent a close frame.
    Closed,
    /// The connection must be closed with this code.
    Violation(u16),
}

/// Returns bytes in chunks of random sizes, then `WouldBlock`. Keeps the written bytes.
struct Pipe {
    chunks: Vec<Vec<u8>>,
    written: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(chunk) = self.chunks.last_mut() else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let size = chunk.len().min(buffer.len());
        buffer[..size].copy_from_slice(&chunk[..size]);
        chunk.drain(..size);
        if chunk.is_empty() {
            self.chunks.pop();
        }
        Ok(size)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn chunks(random: &mut Random, mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let largest = random.one_of(&[1, 7, 100, 5000]);
    let mut chunks = Vec::new();
    while !bytes.is_empty() {
        let size = (1 + random.below(largest) as usize).min(bytes.len());
        let (chunk, rest) = bytes.split_at(size);
        chunks.push(chunk.to_vec());
        bytes = rest;
    }
    chunks
}

fn read_with_decoder(sender: Side, chunks: &[Vec<u8>]) -> Reading {
    let bounds = Bounds {
        frame: FRAME_LIMIT as u64,
        message: MESSAGE_LIMIT as u64,
        ratio: 1000,
    };
    let mut decoder = Decoder::new(sender, bounds, None);
    let (mut input, mut messages) = (BytesMut::new(), Vec::new());
    for chunk in chunks {
        input.extend_from_slice(chunk);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(violation) => {
                    let verdict = Verdict::Violation(violation.code);
                    return Reading { messages, verdict };
                }
            }
        }
    }
    let verdict = if decoder.is_closed() {
        Verdict::Closed
    } else {
        Verdict::Incomplete
    };
    Reading { messages, verdict }
}

fn socket(receiver: Role, mut chunks: Vec<Vec<u8>>) -> WebSocket<Pipe> {
    chunks.reverse();
    let written = Vec::new();
    let config = WebSocketConfig::default()
        .max_frame_size(Some(FRAME_LIMIT))
        .max_message_size(Some(MESSAGE_LIMIT));
    WebSocket::from_raw_socket(Pipe { chunks, written }, receiver, Some(config))
}

fn read_with_tungstenite(sender: Side, chunks: Vec<Vec<u8>>) -> Reading {
    let receiver = match sender {
        Side::Client => Role::Server,
        Side::Server => Role::Client,
    };
    let mut socket = socket(receiver, chunks);
    let mut messages = Vec::new();
    let verdict = loop {
        match socket.read() {
            Ok(Message::Close(close)) => match close_of(close) {
                Ok(close) => {
                    messages.push(close);
                    break Verdict::Closed;
                }
                Err(code) => break Verdict::Violation(code),
            },
            Ok(message) => messages.push(received(message)),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                break Verdict::Incomplete;
            }
            Err(Error::Protocol(_)) => break Verdict::Violation(1002),
            Err(Error::Utf8(_)) => break Verdict::Violation(1007),
            Err(Error::Capacity(_)) => break Verdict::Violation(1009),
            Err(other) => panic!("{other}"),
        }
    };
    Reading { messages, verdict }
}

/// The received close frame, or the code for an invalid one.
fn close_of(close: Option<CloseFrame>) -> Result<ReceivedMessage, u16> {
    let Some(close) = close else {
        let reason = String::new();
        return Ok(ReceivedMessage::Close { code: None, reason });
    };
    let (code, reason) = (u16::from(close.code), close.reason.to_string());
    if code == 1002 && reason == "Protocol violation" {
        return Err(code);
    }
    let code = Some(code);
    Ok(ReceivedMessage::Close { code, reason })
}

fn received(message: Message) -> ReceivedMessage {
    let data = |text, content| ReceivedMessage::Data {
        text,
        content,
        compressed: false,
    };
    match message {
        Message::Text(text) => data(true, text.into()),
        Message::Binary(content) => data(false, content),
        Message::Ping(body) => ReceivedMessage::Ping(body),
        Message::Pong(body) => ReceivedMessage::Pong(body),
        Message::Close(_) | Message::Frame(_) => panic!("{message:?} is not a data message"),
    }
}

/// The result of tungstenite for a stream with this fault, in terms of the decoder.
fn expected(mut reading: Reading, fault: Option<Fault>) -> Reading {
    if fault == Some(Fault::HighestLengthBit) {
        assert_eq!(reading.verdict, Verdict::Violation(1009));
        reading.verdict = Verdict::Violation(1002);
    }
    reading
}

fn each_stream(mut check: impl FnMut(u64, &mut Random, Side, Stream)) {
    for seed in 0..SEEDS {
        let random = &mut Random::new(seed);
        let sender = random.one_of(&[Side::Client, Side::Server]);
        let stream = stream(random, sender);
        check(seed, random, sender, stream);
    }
}

#[test]
fn whole_streams_are_read_alike() {
    let mut closed = 0;
    let mut faults = Vec::new();
    each_stream(|seed, random, sender, stream| {
        let chunks = chunks(random, &stream.bytes);
        let own = read_with_decoder(sender, &chunks);
        let other = expected(read_with_tungstenite(sender, chunks), stream.fault);
        assert_eq!(own, other, "seed {seed}, {sender:?}: {stream:?}");
        let refused = matches!(own.verdict, Verdict::Violation(_));
        assert_eq!(refused, stream.fault.is_some(), "seed {seed}: {stream:?}");
        closed += usize::from(own.verdict == Verdict::Closed);
        faults.extend(stream.fault);
    });
    assert!(closed > 100, "{closed} streams end with a close");
    for fault in Fault::ALL {
        let count = faults.iter().filter(|one| **one == fault).count();
        assert!(count > 10, "{fault:?} occurs {count} times");
    }
}

#[test]
fn truncated_streams_are_read_alike() {
    each_stream(|seed, random, sender, stream| {
        let size = random.below(stream.bytes.len() as u64 + 1) as usize;
        let chunks = chunks(random, &stream.bytes[..size]);
        let own = read_with_decoder(sender, &chunks);
        let other = expected_of_cut(read_with_tungstenite(sender, chunks), stream.fault);
        assert_eq!(own.messages, other.messages, "seed {seed}: {stream:?}");
        if own.verdict != other.verdict {
            assert_eq!(
                other.verdict,
                Verdict::Incomplete,
                "seed {seed}: {stream:?}"
            );
            assert!(stream.fault.is_some(), "seed {seed}: {own:?} {stream:?}");
        }
    });
}

fn expected_of_cut(reading: Reading, fault: Option<Fault>) -> Reading {
    match reading.verdict {
        Verdict::Violation(_) => expected(reading, fault),
        Verdict::Incomplete | Verdict::Closed => reading,
    }
}

#[test]
fn tungstenite_reads_what_the_encoder_writes() {
    for seed in 0..SEEDS {
        let random = &mut Random::new(seed);
        let sender = random.one_of(&[Side::Client, Side::Server]);
        let mut encoder = Encoder::new(sender, None);
        let count = 1 + random.below(8);
        let sent: Vec<_> = (0..count).map(|_| message(random)).collect();
        let mut bytes = Vec::new();
        for message in &sent {
            let mask = random.bytes(4).try_into().unwrap();
            let mask = (sender == Side::Client).then_some(mask);
            bytes.extend(match message {
                ReceivedMessage::Data { text, content, .. } => {
                    encoder.message(*text, content, false, mask)
                }
                ReceivedMessage::Ping(body) => encoder.ping(body, mask),
                ReceivedMessage::Pong(body) => encoder.pong(body, mask),
                ReceivedMessage::Close { code, reason } => encoder.close(*code, reason, mask),
            });
        }
        let chunks = chunks(random, &bytes);
        let reading = read_with_tungstenite(sender, chunks);
        assert_eq!(reading, until_close(sent), "seed {seed}, {sender:?}");
    }
}

#[test]
fn the_decoder_reads_what_tungstenite_writes() {
    for seed in 0..SEEDS {
        let random = &mut Random::new(seed);
        let sender = random.one_of(&[Side::Client, Side::Server]);
        let role = match sender {
            Side::Client => Role::Client,
            Side::Server => Role::Server,
        };
        let mut socket = socket(role, Vec::new());
        let count = 1 + random.below(8);
        let sent: Vec<_> = (0..count).map(|_| message(random)).collect();
        let sent = until_close(sent);
        for message in &sent.messages {
            socket.write(written(message)).unwrap();
        }
        socket.flush().unwrap();
        let chunks = chunks(random, &socket.get_ref().written);
        let reading = read_with_decoder(sender, &chunks);
        assert_eq!(reading, sent, "seed {seed}, {sender:?}");
    }
}

/// The messages that are read: all up to and including a close.
fn until_close(mut messages: Vec<ReceivedMessage>) -> Reading {
    let is_close = |message: &ReceivedMessage| matches!(message, ReceivedMessage::Close { .. });
    let close = messages.iter().position(is_close);
    messages.truncate(close.map_or(messages.len(), |at| at + 1));
    let verdict = close.map_or(Verdict::Incomplete, |_| Verdict::Closed);
    Reading { messages, verdict }
}

fn written(message: &ReceivedMessage) -> Message {
    match message.clone() {
        ReceivedMessage::Data { text, content, .. } if text => {
            Message::text(String::from_utf8(content.to_vec()).unwrap())
        }
        ReceivedMessage::Data { content, .. } => Message::Binary(content),
        ReceivedMessage::Ping(body) => Message::Ping(body),
        ReceivedMessage::Pong(body) => Message::Pong(body),
        ReceivedMessage::Close { code, reason } => Message::Close(code.map(|code| CloseFrame {
            code: code.into(),
            reason: reason.into(),
        })),
    }
}
