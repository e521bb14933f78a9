//! WebSocket without I/O: opening handshakes (RFC 6455, section 4; RFC 8441), `permessage-deflate`
//! (RFC 7692), frames and messages, and the transcripts of recorded conversations.

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
pub use frame::{MAX_CLOSE_REASON, MAX_CONTROL};
pub use frame_boundary::FrameTracker;
pub use handshake::{
    HandshakeError, accept_key, check_connect_request, check_connect_response, check_request,
    check_response, is_websocket_upgrade, offers_subprotocol, supported_offers,
};
pub use negotiation::DeflateParams;
pub use transcript::{HalfMessage, SideViolation, Transcript, read_transcript};

/// Limits of the messages of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Maximum payload of a frame in bytes.
    pub frame: u64,
    /// Maximum decompressed size of a message in bytes.
    pub message: u64,
    /// Maximum ratio of the decompressed to the compressed size of a message. Applies above
    /// [`RATIO_FROM`](crate::content_coding::RATIO_FROM) bytes.
    pub ratio: u64,
}

/// A complete message or control frame of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceivedMessage {
    /// A message with all its fragments.
    Data {
        /// True for text, which is valid UTF-8 if the decoder checks content. False for binary.
        text: bool,
        /// The decompressed content.
        content: Bytes,
        /// True if it was compressed on the wire.
        compressed: bool,
    },
    /// A ping.
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
    /// A close frame, the last frame of its side.
    Close {
        /// The status code. None if the frame is empty.
        code: Option<u16>,
        /// The reason.
        reason: String,
    },
}

impl From<ReceivedMessage> for MessageKind {
    fn from(message: ReceivedMessage) -> Self {
        match message {
            ReceivedMessage::Data {
                text,
                content,
                compressed,
            } => {
                let content = Content::Inline(content);
                let payload = Payload {
                    content,
                    compressed,
                };
                if text {
                    Self::Text(payload)
                } else {
                    Self::Binary(payload)
                }
            }
            ReceivedMessage::Ping(body) => Self::Ping(body),
            ReceivedMessage::Pong(body) => Self::Pong(body),
            ReceivedMessage::Close { code, reason } => Self::Close { code, reason },
        }
    }
}

/// A protocol violation, with the close code and reason to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (close code {code})")]
pub struct Violation {
    /// The status code (RFC 6455, section 7.4.1): 1002, 1007 or 1009.
    pub code: u16,
    /// The reason, short enough for a close frame. Cassettes contain it, so it never changes.
    pub reason: &'static str,
}

impl Violation {
    /// A malformed or unexpected frame.
    fn protocol(reason: &'static str) -> Self {
        Self { code: 1002, reason }
    }

    /// Invalid content.
    fn content(reason: &'static str) -> Self {
        Self { code: 1007, reason }
    }

    /// Content beyond the limits.
    fn too_large(reason: &'static str) -> Self {
        Self { code: 1009, reason }
    }
}

/// True for the status codes that are allowed in a close frame (RFC 6455, section 7.4, and the IANA
/// registry).
///
/// 1004 is reserved, and 1005, 1006 and 1015 must not be sent.
pub fn is_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
