//! The read interface of matchers and redactors for requests, responses and parts of streams.

use std::sync::Arc;

use bytes::Bytes;

use crate::identity::Content;
use crate::json::Document;
use crate::minted_values::MintedValues;
use ouli_message::Fields;
use ouli_message::stream::Side;

/// A message that matchers, plugins and reports read. Implementations may compute values lazily.
///
/// A redacting implementation returns redacted values from every method.
pub trait MessageView: Send + Sync {
    /// `request`, `response`, or for a part of a stream `event`, `message` or `trailers`.
    fn kind(&self) -> &'static str;
    /// The side that sent it.
    fn side(&self) -> Side {
        Side::Client
    }
    /// True for a binary message of a WebSocket.
    fn is_binary(&self) -> bool {
        false
    }
    /// True for the request that opens a WebSocket.
    fn is_websocket(&self) -> bool {
        false
    }
    /// The failure of the exchange, such as `body reset`. Only recording policies see it.
    fn failure(&self) -> Option<&str> {
        None
    }
    /// The parts of a stream in order: events, messages and trailers. Empty unless the message is a
    /// streamed response.
    fn parts(&self) -> &[Arc<dyn MessageView>] {
        &[]
    }
    /// Name of the endpoint.
    fn endpoint(&self) -> &str;
    /// Name of the session.
    fn session(&self) -> &str;
    /// The method of the request.
    fn method(&self) -> &str;
    /// Host and port of the upstream.
    fn authority(&self) -> &str;
    /// The path of the request, percent-encoded.
    fn path(&self) -> &str;
    /// The decoded query parameters, in order.
    fn query(&self) -> &[(String, String)];
    /// The status of a response, or 0 for a request.
    fn status(&self) -> u16;
    /// A digest of all other values, if one is cheap to compute. Messages with equal digests are
    /// equal.
    fn digest(&self) -> Option<u128> {
        None
    }
    /// The header fields.
    fn fields(&self) -> &Fields;
    /// The decoded body.
    fn body(&self) -> &Bytes;
    /// True if the body stands for one that is not shown, so that it is not of the content type.
    fn is_summarized(&self) -> bool {
        false
    }
    /// The body parsed as JSON. None if it is not JSON.
    fn json(&self) -> Option<&Document>;
    /// The same message with a hole in the place of each secret. None if it is this one.
    fn with_holes(&self) -> Option<&dyn MessageView> {
        None
    }
    /// True if its head holds a secret that was found only after the head was read.
    fn has_secret_in_head(&self) -> bool {
        false
    }
    /// The values that the clients of its session made up, as far as they are known.
    fn minted_values(&self) -> Option<&MintedValues> {
        None
    }
    /// What belongs in the hole with this index, if the message has holes.
    fn hole(&self, _index: usize) -> Option<Content> {
        None
    }
}
