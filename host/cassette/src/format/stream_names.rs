//! The words of streams in a cassette, and what a turn is made of there.

use std::borrow::Cow;

use bytes::Bytes;

use ouli_message::Content;
use ouli_message::stream::{ChunkKind, Ending, MessageKind, Payload, Protocol};

/// A turn without its side and its time, as it stands in a cassette and in a digest.
pub(super) struct MessageRecord<'a> {
    /// The word for what was said.
    pub(super) kind: &'static str,
    /// Whether it was compressed on the wire.
    pub(super) compressed: bool,
    /// The status code of a close frame.
    pub(super) code: Option<u16>,
    /// The message, the content of a ping or pong, or the reason of a close frame.
    pub(super) content: Cow<'a, Content>,
}

impl<'a> From<&'a MessageKind> for MessageRecord<'a> {
    fn from(said: &'a MessageKind) -> Self {
        let inline = |bytes| Cow::Owned(Content::Inline(bytes));
        let message = |words: &'a Payload| (words.compressed, None, Cow::Borrowed(&words.content));
        let (compressed, code, content) = match said {
            MessageKind::Text(words) | MessageKind::Binary(words) => message(words),
            MessageKind::Ping(bytes) | MessageKind::Pong(bytes) => {
                (false, None, inline(bytes.clone()))
            }
            MessageKind::Close { code, reason } => {
                let reason = Bytes::copy_from_slice(reason.as_bytes());
                (false, *code, inline(reason))
            }
            MessageKind::End => (false, None, inline(Bytes::new())),
        };
        Self {
            kind: kind_name(said),
            compressed,
            code,
            content,
        }
    }
}

fn kind_name(said: &MessageKind) -> &'static str {
    match said {
        MessageKind::Text(_) => "text",
        MessageKind::Binary(_) => "binary",
        MessageKind::Ping(_) => "ping",
        MessageKind::Pong(_) => "pong",
        MessageKind::Close { .. } => "close",
        MessageKind::End => "end",
    }
}

/// The word for what the pieces of a body are.
pub(super) fn unit_name(unit: ChunkKind) -> &'static str {
    match unit {
        ChunkKind::Event => "event",
        ChunkKind::Line => "line",
        ChunkKind::Raw => "chunk",
    }
}

/// The word for what the sides of a conversation speak.
pub(super) fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::WebSocket => "websocket",
        Protocol::Grpc => "grpc",
    }
}

/// The word for the side that ended a stream early; none where it is complete.
pub(super) fn ending_name(ending: Ending) -> Option<&'static str> {
    match ending {
        Ending::Complete => None,
        Ending::ClientAborted => Some("client"),
        Ending::ServerAborted => Some("server"),
    }
}
