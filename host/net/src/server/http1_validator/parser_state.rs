//! The position of the validator in the bytes of a connection.

use crate::server::head_error::HeadError;

/// The part of the stream that the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParserState {
    /// A request line, or between two requests.
    RequestLine,
    /// The header fields.
    Headers,
    /// A body with this many bytes left.
    Body(u64),
    /// The line of a chunk size.
    ChunkSize,
    /// A chunk with this many bytes left, including its CRLF.
    ChunkData(u64),
    /// The trailer fields.
    Trailers,
    /// Another protocol, which is not validated.
    OtherProtocol,
    /// Something was invalid; nothing after it is read. In a head, the error tells what.
    Invalid(Option<HeadError>),
}
