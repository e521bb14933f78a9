//! The names that a cassette has for streams, and the parts of a message that it stores.

use std::borrow::Cow;

use bytes::Bytes;

use ouli_message::Content;
use ouli_message::stream::{ChunkKind, Ending, MessageKind, Payload, Protocol};

/// A message without its side and its time, as it is written and as the digest covers it.
pub(super) struct MessageRecord<'a> {
    /// The name of its kind.
    pub(super) kind: &'static str,
    /// True if it was compressed on the wire.
    pub(super) compressed: bool,
    /// The status code of a close frame, or for a violation.
    pub(super) code: Option<u16>,
    /// The content of a message, ping or pong, or the reason of a close frame or a violation.
    pub(super) content: Cow<'a, Content>,
}

impl<'a> From<&'a MessageKind> for MessageRecord<'a> {
    fn from(message: &'a MessageKind) -> Self {
        let kind = kind_name(message);
        let record = |compressed, code, content| Self {
            kind,
            compressed,
            code,
            content,
        };
        let inline = |bytes| Cow::Owned(Content::Inline(bytes));
        match message {
            MessageKind::Text(payload) | MessageKind::Binary(payload) => {
                let Payload {
                    content,
                    compressed,
                } = payload;
                record(*compressed, None, Cow::Borrowed(content))
            }
            MessageKind::Ping(bytes) | MessageKind::Pong(bytes) => {
                record(false, None, inline(bytes.clone()))
            }
            MessageKind::Close { code, reason } => {
                let reason = Bytes::copy_from_slice(reason.as_bytes());
                record(false, *code, inline(reason))
            }
            MessageKind::Invalid { code, reason } => {
                let reason = Bytes::copy_from_slice(reason.as_bytes());
                record(false, Some(*code), inline(reason))
            }
            MessageKind::End => record(false, None, inline(Bytes::new())),
        }
    }
}

fn kind_name(kind: &MessageKind) -> &'static str {
    match kind {
        MessageKind::Text(_) => "text",
        MessageKind::Binary(_) => "binary",
        MessageKind::Ping(_) => "ping",
        MessageKind::Pong(_) => "pong",
        MessageKind::Close { .. } => "close",
        MessageKind::End => "end",
        MessageKind::Invalid { .. } => "invalid",
    }
}

/// The name of a kind of chunk.
pub(super) fn unit_name(unit: ChunkKind) -> &'static str {
    match unit {
        ChunkKind::Event => "event",
        ChunkKind::Line => "line",
        ChunkKind::Raw => "chunk",
    }
}

/// The name of the protocol of a conversation.
pub(super) fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::WebSocket => "websocket",
        Protocol::Grpc => "grpc",
    }
}

/// The name of the side that aborted a stream; `None` if the stream is complete.
pub(super) fn ending_name(ending: Ending) -> Option<&'static str> {
    match ending {
        Ending::Complete => None,
        Ending::ClientAborted => Some("client"),
        Ending::ServerAborted => Some("server"),
    }
}
