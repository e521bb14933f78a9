//! The words of streams in a cassette, and what a turn is made of there.

use std::borrow::Cow;

use bytes::Bytes;

use ouli_message::Content;
use ouli_message::stream::{Ending, Protocol, Said, Unit, Words};

/// A turn without its side and its time, as it stands in a cassette and in a digest.
pub(super) struct Spoken<'a> {
    /// The word for what was said.
    pub(super) kind: &'static str,
    /// Whether it was compressed on the wire.
    pub(super) compressed: bool,
    /// The status code of a close frame.
    pub(super) code: Option<u16>,
    /// The message, the content of a ping or pong, or the reason of a close frame.
    pub(super) content: Cow<'a, Content>,
}

impl<'a> From<&'a Said> for Spoken<'a> {
    fn from(said: &'a Said) -> Self {
        let inline = |bytes| Cow::Owned(Content::Inline(bytes));
        let message = |words: &'a Words| (words.compressed, None, Cow::Borrowed(&words.content));
        let (compressed, code, content) = match said {
            Said::Text(words) | Said::Binary(words) => message(words),
            Said::Ping(bytes) | Said::Pong(bytes) => (false, None, inline(bytes.clone())),
            Said::Close { code, reason } => {
                let reason = Bytes::copy_from_slice(reason.as_bytes());
                (false, *code, inline(reason))
            }
            Said::End => (false, None, inline(Bytes::new())),
        };
        Self {
            kind: kind(said),
            compressed,
            code,
            content,
        }
    }
}

fn kind(said: &Said) -> &'static str {
    match said {
        Said::Text(_) => "text",
        Said::Binary(_) => "binary",
        Said::Ping(_) => "ping",
        Said::Pong(_) => "pong",
        Said::Close { .. } => "close",
        Said::End => "end",
    }
}

/// The word for what the pieces of a body are.
pub(super) fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Event => "event",
        Unit::Line => "line",
        Unit::Chunk => "chunk",
    }
}

/// The word for what the sides of a conversation speak.
pub(super) fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::WebSocket => "websocket",
        Protocol::Grpc => "grpc",
    }
}

/// The word for the side that ended a stream early; none where it is complete.
pub(super) fn ended(ending: Ending) -> Option<&'static str> {
    match ending {
        Ending::Complete => None,
        Ending::Client => Some("client"),
        Ending::Server => Some("server"),
    }
}
