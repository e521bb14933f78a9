//! Streams: the chunks of a response body, or the messages of both sides, with their times.
//!
//! A stream is recorded beside its request and response. The bytes of chunks are in the response
//! body; the bytes of messages are in the messages.

use bytes::Bytes;

use crate::content::Content;

/// A side of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The program that sends the request.
    Client,
    /// The upstream that sends the response.
    Server,
}

impl Side {
    /// The name in cassettes and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// The stream of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The chunks or messages.
    pub content: StreamContent,
    /// How it ended.
    pub ending: Ending,
}

/// The content of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamContent {
    /// The chunks of the response body. Their sizes add up to the size of the body.
    Chunks(ChunkKind, Vec<Chunk>),
    /// The messages of both sides in the order in which the gateway forwarded them. The bodies of
    /// request and response are empty.
    Messages(Protocol, Vec<Message>),
}

/// The kind of the chunks of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChunkKind {
    /// A server-sent event with the empty line that ends it (WHATWG HTML, section 9.2).
    Event,
    /// A line with its line ending, as in NDJSON.
    Line,
    /// Bytes that were received together.
    Raw,
}

/// A chunk of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The time of its last byte, in microseconds from the response head.
    pub at: u64,
    /// Size in bytes.
    pub size: u64,
}

/// The protocol of a message stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// WebSocket over HTTP/1.1 or HTTP/2 (RFC 6455, RFC 8441).
    WebSocket,
    /// gRPC over HTTP/2; gRPC-Web is an ordinary body.
    Grpc,
}

/// A message of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The sender.
    pub side: Side,
    /// The time of its last byte, in microseconds from the response head (WebSocket) or from the
    /// request head (gRPC).
    pub at: u64,
    /// The kind of message with its content.
    pub kind: MessageKind,
}

/// The kind of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A WebSocket text message. Its content is UTF-8, unless a server violates the protocol.
    Text(Payload),
    /// A WebSocket binary message, or a gRPC message.
    Binary(Payload),
    /// A WebSocket ping.
    Ping(Bytes),
    /// A WebSocket pong.
    Pong(Bytes),
    /// A WebSocket close frame.
    Close {
        /// The status code; none if the frame is empty.
        code: Option<u16>,
        /// The reason.
        reason: String,
    },
    /// gRPC half-close: the client sends no more messages.
    End,
    /// A violation of the WebSocket protocol by the client. Nothing that it sent later was read.
    Invalid {
        /// The status code that closes the connection (RFC 6455, section 7.4.1).
        code: u16,
        /// What was violated.
        reason: String,
    },
}

/// The decompressed content of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The content.
    pub content: Content,
    /// It was compressed on the wire: by permessage-deflate (RFC 7692) or by `grpc-encoding`.
    pub compressed: bool,
}

impl MessageKind {
    /// The payload of a data message; none for any other kind.
    pub fn payload(&self) -> Option<&Payload> {
        match self {
            Self::Text(payload) | Self::Binary(payload) => Some(payload),
            Self::Ping(_)
            | Self::Pong(_)
            | Self::Close { .. }
            | Self::End
            | Self::Invalid { .. } => None,
        }
    }

    /// The bytes in memory: payload, ping or pong data, or reason.
    pub fn inline_bytes(&self) -> &[u8] {
        match self {
            Self::Text(payload) | Self::Binary(payload) => payload.content.inline(),
            Self::Ping(bytes) | Self::Pong(bytes) => bytes,
            Self::Close { reason, .. } | Self::Invalid { reason, .. } => reason.as_bytes(),
            Self::End => &[],
        }
    }

    /// [`MessageKind::payload`], mutable.
    pub fn payload_mut(&mut self) -> Option<&mut Payload> {
        match self {
            Self::Text(payload) | Self::Binary(payload) => Some(payload),
            Self::Ping(_)
            | Self::Pong(_)
            | Self::Close { .. }
            | Self::End
            | Self::Invalid { .. } => None,
        }
    }
}

/// The end of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Ended as its protocol defines.
    #[default]
    Complete,
    /// The client closed it early.
    ClientAborted,
    /// The upstream closed it early.
    ServerAborted,
}

impl Stream {
    /// The messages; empty for a stream of chunks.
    pub fn messages(&self) -> &[Message] {
        match &self.content {
            StreamContent::Messages(_, messages) => messages,
            StreamContent::Chunks(..) => &[],
        }
    }

    /// [`Stream::messages`], mutable.
    pub fn messages_mut(&mut self) -> &mut [Message] {
        match &mut self.content {
            StreamContent::Messages(_, messages) => messages,
            StreamContent::Chunks(..) => &mut [],
        }
    }
}

/// A record that bytes were received. Arrivals tell the boundaries of chunks and the order of both
/// sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The sender.
    pub side: Side,
    /// The number of bytes of this side received so far.
    pub end: u64,
    /// The time in microseconds from the start of the stream.
    pub at: u64,
}
