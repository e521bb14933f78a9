//! WebSocket as far as it needs no socket: opening handshakes (RFC 6455, section 4; RFC 8441),
//! `permessage-deflate` (RFC 7692), frames and messages.

mod extension;
mod handshake;
mod negotiation;
#[cfg(test)]
mod tests;

pub use extension::ExtensionError;
pub use handshake::{
    HandshakeError, accept_key, check_connect_request, check_connect_response, check_request,
    check_response, is_websocket_upgrade,
};
pub use negotiation::Deflate;
