//! The parts of a key: of a request, and of a message of a conversation.

use std::sync::Arc;

use bytes::Bytes;

use crate::Plugin;
use crate::match_key::MatchKey;
use ouli_codec::MessageView;
use ouli_matching::key::{self, KeyPart, KeyedMessage};

/// The part that distinguishes a WebSocket from a request for a page at the same URL. The host adds
/// it to the key of every matcher.
pub(crate) fn websocket_part(request: &dyn MessageView) -> Option<KeyPart> {
    request.is_websocket().then(|| KeyPart::Custom {
        name: "protocol".to_owned(),
        value: Bytes::from_static(b"websocket"),
    })
}

/// The key of a request with the parts that a matcher declared and added.
pub(crate) fn request_key(
    request: &Arc<dyn MessageView>,
    matcher: &Arc<Plugin>,
    declared: &[KeyPart],
    added: &[KeyPart],
) -> MatchKey {
    let websocket = websocket_part(&**request);
    let key = if added.is_empty() && websocket.is_none() {
        key::derive(declared, &**request)
    } else {
        let parts = declared.iter().chain(added).chain(&websocket);
        let parts: Vec<_> = parts.cloned().collect();
        key::derive(&parts, &**request)
    };
    MatchKey {
        key,
        matcher: Arc::clone(matcher),
        failure: None,
    }
}

/// A message with these parts.
pub(crate) fn keyed(
    matcher: &Plugin,
    parts: Vec<KeyPart>,
    view: &Arc<dyn MessageView>,
) -> KeyedMessage {
    KeyedMessage {
        matcher: (!matcher.is_builtin()).then(|| matcher.name().to_owned()),
        parts,
        view: Arc::clone(view),
    }
}

/// The parts of a key that apply to a message of a conversation.
pub(crate) fn message_parts(
    message: &dyn MessageView,
    declared: &[KeyPart],
    added: &[KeyPart],
) -> Vec<KeyPart> {
    let binary = message.is_binary().then(|| KeyPart::Custom {
        name: "type".to_owned(),
        value: Bytes::from_static(b"binary"),
    });
    let parts = declared.iter().chain(added).filter(|part| match part {
        KeyPart::Body { .. } | KeyPart::Custom { .. } | KeyPart::Minted(_) => true,
        KeyPart::Endpoint
        | KeyPart::Method
        | KeyPart::Authority
        | KeyPart::Path
        | KeyPart::Query { .. }
        | KeyPart::Header(_)
        | KeyPart::Cookies
        | KeyPart::HiddenHeaders { .. }
        | KeyPart::Headers { .. }
        | KeyPart::Vary { .. } => false,
    });
    parts.cloned().chain(binary).collect()
}
