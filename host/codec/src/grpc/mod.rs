//! gRPC over HTTP/2 without I/O (gRPC, `doc/PROTOCOL-HTTP2.md`): length-prefixed messages, status,
//! and the mapping of messages to JSON by descriptors.

mod framing;
mod json_view;
#[cfg(any(test, feature = "test-support"))]
#[expect(clippy::unwrap_used, reason = "used by tests only")]
pub mod sample_schema;
mod schema;
mod status;
mod transcript;
pub mod wire;

pub use framing::{LengthPrefixedMessage, MessageSplitter, accepts, decode, encode, encode_frame};
pub use json_view::MappedMessage;
pub use schema::{MessageType, Schema, SchemaError};
pub use status::{Code, decode_message, encode_message, trailers, trailers_only};
pub use transcript::{CallBodies, Transcript, read_messages};

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::content_coding::CodingError;
use ouli_message::exchange::is_grpc;

/// True if the content type of a request or response is one of gRPC.
pub fn has_grpc_body(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.to_str().is_ok_and(is_grpc))
}

/// Why messages cannot be decoded or encoded.
#[derive(Debug, thiserror::Error)]
pub enum GrpcError {
    /// A message exceeds the size limit.
    #[error("a message of {size} bytes is larger than {limit} bytes")]
    TooLarge {
        /// The size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// All messages together exceed the size limit.
    #[error("the messages of the call are larger than {0} bytes")]
    TotalTooLarge(u64),
    /// The body ends within a message.
    #[error("the body ends within a message, after {0} of its bytes")]
    Incomplete(usize),
    /// The compressed flag is neither 0 nor 1.
    #[error("a message has the invalid compressed flag {0}")]
    Flag(u8),
    /// A message is compressed, but the encoding is unknown.
    #[error("a message is compressed, but there is no `grpc-encoding`")]
    NoEncoding,
    /// The encoding is not supported.
    #[error("`grpc-encoding: {0}` is unknown")]
    Encoding(String),
    /// The message cannot be decompressed.
    #[error("a message cannot be decompressed: {0}")]
    Coding(#[from] CodingError),
}
