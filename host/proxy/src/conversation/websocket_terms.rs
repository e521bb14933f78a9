//! What a replayed WebSocket agrees on with its client.

use http::HeaderMap;
use http::header::{SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};

use ouli_codec::websocket::{self, DeflateParams};
use ouli_message::Fields;

/// What the recorded server agreed to, as far as it is an answer to this client.
pub(super) fn negotiate(
    recorded: &Fields,
    offered: &HeaderMap,
) -> (HeaderMap, Option<DeflateParams>) {
    let mut fields = recorded.to_map();
    let agreed = DeflateParams::from_response(&fields).ok().flatten();
    fields.remove(SEC_WEBSOCKET_EXTENSIONS);
    let answer = agreed.and_then(|agreed| DeflateParams::negotiate(offered, &agreed));
    let deflate = answer.map(|(value, deflate)| {
        fields.insert(SEC_WEBSOCKET_EXTENSIONS, value);
        deflate
    });
    let asked_for = |protocol: &str| websocket::offers_subprotocol(offered, protocol);
    let protocol = fields.get(SEC_WEBSOCKET_PROTOCOL);
    let fits = protocol.is_none_or(|it| it.to_str().is_ok_and(asked_for));
    if !fits {
        fields.remove(SEC_WEBSOCKET_PROTOCOL);
    }
    (fields, deflate)
}
