//! How a stream came: the pieces of a body, or the turns of a conversation, each at its time.
//!
//! A stream is kept beside the request and the response that carry it. Bytes stand once: those of
//! pieces in the response's body, those of turns in the turns themselves.

use bytes::Bytes;

use crate::exchange::Content;

/// Who sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The program that asks.
    Client,
    /// The upstream that answers.
    Server,
}

impl Side {
    /// The word for it in cassettes and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// What an exchange has beside its request and its response where it was a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// What it was made of.
    pub content: StreamContent,
    /// How it ended.
    pub ending: Ending,
}

/// What a stream is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamContent {
    /// The response's body, in pieces. Their sizes add up to that of the body.
    Chunks(ChunkKind, Vec<Chunk>),
    /// Turns of both sides in the order in which they crossed the gateway. The bodies of request
    /// and response are empty.
    Messages(Protocol, Vec<Message>),
}

/// What one piece of a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChunkKind {
    /// An event of an event stream (WHATWG HTML, section 9.2), with the empty line that ends it.
    Event,
    /// A line, with its end, as in NDJSON.
    Line,
    /// Bytes that came together.
    Raw,
}

/// One piece of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// When its last byte came, in microseconds from the head of the response.
    pub at: u64,
    /// Its size in bytes.
    pub size: u64,
}

/// What the sides of a conversation speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// RFC 6455, over HTTP/1.1 or HTTP/2.
    WebSocket,
    /// gRPC over HTTP/2; the bodies of gRPC-Web are no conversations.
    Grpc,
}

/// Something that one side said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who said it.
    pub side: Side,
    /// When its last byte came, in microseconds from the head of the response (WebSocket) or of the
    /// request (gRPC).
    pub at: u64,
    /// What was said.
    pub kind: MessageKind,
}

/// What a turn can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A text message of a WebSocket; its content is UTF-8.
    Text(Payload),
    /// A binary message of a WebSocket, or a message of gRPC.
    Binary(Payload),
    /// A ping of a WebSocket.
    Ping(Bytes),
    /// A pong of a WebSocket.
    Pong(Bytes),
    /// The close frame of a WebSocket.
    Close {
        /// The status code; none where the frame is empty.
        code: Option<u16>,
        /// The reason.
        reason: String,
    },
    /// The side sends nothing more; the last turn of a client of gRPC.
    End,
}

/// The content of a message, without compression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The content.
    pub content: Content,
    /// It was compressed on the wire: by permessage-deflate (RFC 7692), or by the `grpc-encoding`
    /// of its side.
    pub compressed: bool,
}

impl MessageKind {
    /// The content of a message; none for what is no message.
    pub fn payload(&self) -> Option<&Payload> {
        match self {
            Self::Text(words) | Self::Binary(words) => Some(words),
            Self::Ping(_) | Self::Pong(_) | Self::Close { .. } | Self::End => None,
        }
    }

    /// The bytes of whatever it is, where they are in memory.
    pub fn inline_bytes(&self) -> &[u8] {
        match self {
            Self::Text(words) | Self::Binary(words) => words.content.inline(),
            Self::Ping(bytes) | Self::Pong(bytes) => bytes,
            Self::Close { reason, .. } => reason.as_bytes(),
            Self::End => &[],
        }
    }

    /// The same, to be changed.
    pub fn payload_mut(&mut self) -> Option<&mut Payload> {
        match self {
            Self::Text(words) | Self::Binary(words) => Some(words),
            Self::Ping(_) | Self::Pong(_) | Self::Close { .. } | Self::End => None,
        }
    }
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ending {
    /// As its protocol has it.
    #[default]
    Complete,
    /// The client left before.
    ClientAborted,
    /// The upstream broke off before.
    ServerAborted,
}

impl Stream {
    /// The turns of a conversation; none where it is no conversation.
    pub fn messages(&self) -> &[Message] {
        match &self.content {
            StreamContent::Messages(_, turns) => turns,
            StreamContent::Chunks(..) => &[],
        }
    }

    /// The same, to be changed.
    pub fn messages_mut(&mut self) -> &mut [Message] {
        match &mut self.content {
            StreamContent::Messages(_, turns) => turns,
            StreamContent::Chunks(..) => &mut [],
        }
    }
}

/// That bytes crossed the gateway: it says where the borders between them were, and which side was
/// first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Who sent them.
    pub side: Side,
    /// How many bytes of this side had come by then.
    pub end: u64,
    /// When, in microseconds from the start of the stream.
    pub at: u64,
}
