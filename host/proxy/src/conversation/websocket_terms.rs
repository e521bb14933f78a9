//! Negotiates the extension and the subprotocol of a replayed WebSocket.

use http::HeaderMap;
use http::header::{SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};

use ouli_codec::websocket::{self, DeflateParams};
use ouli_message::Fields;

/// The recorded response fields, without what this client did not offer, and the parameters of
/// compression.
pub(super) fn negotiate(
    recorded: &Fields,
    offered: &HeaderMap,
) -> (HeaderMap, Option<DeflateParams>) {
    let mut fields = recorded.to_map();
    let recorded_deflate = DeflateParams::from_response(&fields).ok().flatten();
    fields.remove(SEC_WEBSOCKET_EXTENSIONS);
    let negotiated = recorded_deflate.and_then(|params| DeflateParams::negotiate(offered, &params));
    let deflate = negotiated.map(|(value, deflate)| {
        fields.insert(SEC_WEBSOCKET_EXTENSIONS, value);
        deflate
    });
    let is_offered = |protocol: &str| websocket::offers_subprotocol(offered, protocol);
    let protocol = fields.get(SEC_WEBSOCKET_PROTOCOL);
    let fits = protocol.is_none_or(|it| it.to_str().is_ok_and(is_offered));
    if !fits {
        fields.remove(SEC_WEBSOCKET_PROTOCOL);
    }
    (fields, deflate)
}
