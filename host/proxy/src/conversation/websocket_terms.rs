//! What a replayed WebSocket agrees on with its client.

use http::HeaderMap;
use http::header::{SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};

use ouli_codec::websocket::{self, Deflate};
use ouli_message::Fields;

/// What the recorded server agreed to, as far as it is an answer to this client.
pub(super) fn agree(recorded: &Fields, offered: &HeaderMap) -> (HeaderMap, Option<Deflate>) {
    let mut fields = recorded.to_map();
    let agreed = Deflate::agreed(&fields).ok().flatten();
    fields.remove(SEC_WEBSOCKET_EXTENSIONS);
    let answer = agreed.and_then(|agreed| Deflate::answer(offered, &agreed));
    let deflate = answer.map(|(value, deflate)| {
        fields.insert(SEC_WEBSOCKET_EXTENSIONS, value);
        deflate
    });
    let asked_for = |protocol: &str| websocket::asks_for_subprotocol(offered, protocol);
    let protocol = fields.get(SEC_WEBSOCKET_PROTOCOL);
    let fits = protocol.is_none_or(|it| it.to_str().is_ok_and(asked_for));
    if !fits {
        fields.remove(SEC_WEBSOCKET_PROTOCOL);
    }
    (fields, deflate)
}
