//! A message as matchers and redactors read it: one interface for requests, responses and parts of
//! streams.

use std::sync::Arc;

use bytes::Bytes;

use crate::json::Document;
use ouli_message::Fields;
use ouli_message::stream::Side;

/// What matchers, plugins and reports read of a request or a response, lazily where that saves
/// work.
///
/// Everything here is the redacted view once a redaction stands before it.
pub trait MessageView: Send + Sync {
    /// `request`, `response`, or of a stream `event`, `message` or `trailers`.
    fn kind(&self) -> &'static str;
    /// Who sent it.
    fn side(&self) -> Side {
        Side::Client
    }
    /// True for the request that begins a WebSocket.
    fn is_websocket(&self) -> bool {
        false
    }
    /// How the exchange failed, as `body reset`: the phase and what happened. Only recording
    /// policies see it.
    fn failure(&self) -> Option<&str> {
        None
    }
    /// The parts of a stream in order: events, messages and trailers. Only of a response, and only
    /// where it was a stream.
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
    /// The query's parameters, decoded, in order.
    fn query(&self) -> &[(String, String)];
    /// The status of a response; 0 in a request.
    fn status(&self) -> u16;
    /// A digest of all that the other getters show, where there is one that is cheap: messages with
    /// equal ones are the same.
    fn digest(&self) -> Option<u128> {
        None
    }
    /// The header.
    fn fields(&self) -> &Fields;
    /// The decoded body.
    fn body(&self) -> &Bytes;
    /// The body parsed as JSON, once; none where it is not JSON.
    fn json(&self) -> Option<&Document>;
}
