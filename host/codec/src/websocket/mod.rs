//! WebSocket as far as it needs no socket: opening handshakes (RFC 6455, section 4; RFC 8441),
//! `permessage-deflate` (RFC 7692), frames and messages, and the turns of a recorded conversation.

mod decoder;
mod deflate;
mod encoder;
mod extension;
mod frame;
mod frame_boundary;
mod handshake;
mod negotiation;
#[cfg(test)]
mod tests;
mod transcript;

use bytes::Bytes;

use ouli_message::Content;
use ouli_message::stream::{MessageKind, Payload};

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use extension::ExtensionError;
pub use frame_boundary::FrameTracker;
pub use handshake::{
    HandshakeError, accept_key, check_connect_request, check_connect_response, check_request,
    check_response, is_websocket_upgrade, offers_subprotocol, supported_offers,
};
pub use negotiation::DeflateParams;
pub use transcript::{SideViolation, Transcript, read_transcript};

/// How much one side may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most bytes that one frame may carry.
    pub frame: u64,
    /// The most bytes that one message may have, decompressed.
    pub message: u64,
    /// How many times larger than what was sent a message may be; this counts once
    /// [`RATIO_FROM`](crate::content_coding::RATIO_FROM) bytes came out.
    pub ratio: u64,
}

/// What one side said, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceivedMessage {
    /// A message with all its fragments.
    Data {
        /// It is text, and its content UTF-8; else it is binary.
        text: bool,
        /// The content, decompressed.
        content: Bytes,
        /// It was compressed on the wire.
        compressed: bool,
    },
    /// A ping.
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
    /// A close frame; its side says nothing more.
    Close {
        /// The status code; none where the frame is empty.
        code: Option<u16>,
        /// The reason.
        reason: String,
    },
}

impl From<ReceivedMessage> for MessageKind {
    fn from(heard: ReceivedMessage) -> Self {
        match heard {
            ReceivedMessage::Data {
                text,
                content,
                compressed,
            } => {
                let content = Content::Inline(content);
                let words = Payload {
                    content,
                    compressed,
                };
                if text {
                    Self::Text(words)
                } else {
                    Self::Binary(words)
                }
            }
            ReceivedMessage::Ping(body) => Self::Ping(body),
            ReceivedMessage::Pong(body) => Self::Pong(body),
            ReceivedMessage::Close { code, reason } => Self::Close { code, reason },
        }
    }
}

/// How a side broke the protocol, and what to close the connection with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (close code {code})")]
pub struct Violation {
    /// The status code for it (RFC 6455, section 7.4.1): 1002, 1007 or 1009.
    pub code: u16,
    /// What is wrong, in words that a close frame can hold.
    pub reason: &'static str,
}

impl Violation {
    /// A frame that may not be there, or not like this.
    fn protocol(reason: &'static str) -> Self {
        Self { code: 1002, reason }
    }

    /// Content that is not what it says it is.
    fn content(reason: &'static str) -> Self {
        Self { code: 1007, reason }
    }

    /// More than the bounds allow.
    fn too_large(reason: &'static str) -> Self {
        Self { code: 1009, reason }
    }
}

/// A status code that may stand in a close frame (RFC 6455, section 7.4, and the registry of IANA).
///
/// 1004 has no meaning, and 1005, 1006 and 1015 are words for programs only.
pub fn is_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
