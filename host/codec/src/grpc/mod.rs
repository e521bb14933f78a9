//! gRPC over HTTP/2 as far as it needs no socket: messages in their frames, status, and what
//! descriptors tell of a message (gRPC, `doc/PROTOCOL-HTTP2_REQUEST_LINE.md`).

mod framing;
mod json_view;
#[cfg(any(test, feature = "test-support"))]
#[expect(clippy::unwrap_used, reason = "it is there for tests alone")]
pub mod sample_schema;
mod schema;
mod status;
mod transcript;
pub mod wire;

pub use framing::{LengthPrefixedMessage, MessageSplitter, accepts, decode, encode, encode_frame};
pub use json_view::MappedMessage;
pub use schema::{MessageType, Schema, SchemaError};
pub use status::{Code, decode_message, encode_message, trailers, trailers_only};
pub use transcript::{CallBodies, read_messages};

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::content_coding::CodingError;
use ouli_message::exchange::is_grpc;

/// True where the header of a request or a response says that its body has messages of gRPC.
pub fn has_grpc_body(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.to_str().is_ok_and(is_grpc))
}

/// Why messages cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum GrpcError {
    /// A message is larger than allowed.
    #[error("a message of {size} bytes is larger than {most}")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        most: u64,
    },
    /// All messages together are larger than allowed.
    #[error("the messages of the call are larger than {0} bytes")]
    TotalTooLarge(u64),
    /// The mark before a message is none.
    #[error("a message begins with {0} where a flag should stand that says if it is compressed")]
    Flag(u8),
    /// It is compressed, but nothing says how.
    #[error("a message is compressed, but no `grpc-encoding` says how")]
    NoEncoding,
    /// It is compressed in a way that cannot be undone.
    #[error("`grpc-encoding: {0}` is unknown")]
    Encoding(String),
    /// It cannot be decompressed.
    #[error("a message cannot be decompressed: {0}")]
    Coding(#[from] CodingError),
}
