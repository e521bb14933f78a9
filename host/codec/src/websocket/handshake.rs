//! Opening handshakes: over HTTP/1.1 (RFC 6455, section 4) and over HTTP/2 (RFC 8441).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    AsHeaderName, CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use sha1::{Digest, Sha1};

use super::extension::{Extension, ExtensionError};
use super::negotiation;

/// Appended to a key before it is hashed (RFC 6455, section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The only version (RFC 6455, section 4.1).
const VERSION: &str = "13";
/// The size of a decoded key in bytes.
const KEY_SIZE: usize = 16;

/// Why a handshake fails.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The method of the request is wrong.
    #[error("the method {0} opens no WebSocket")]
    Method(Method),
    /// The field `upgrade` does not name `websocket`.
    #[error("the field `upgrade` does not name websocket")]
    Upgrade,
    /// The field `connection` does not name `upgrade`.
    #[error("the field `connection` does not name upgrade")]
    Connection,
    /// The version is missing or not 13. The response is 426 with `sec-websocket-version: 13`
    /// (RFC 6455, section 4.2.2).
    #[error("the field `sec-websocket-version` is not 13")]
    Version,
    /// The key is missing, repeated, or not the base64 of 16 bytes.
    #[error("the field `sec-websocket-key` is not the base64 of 16 bytes")]
    Key,
    /// The status of the response does not accept the handshake.
    #[error("the status {0} does not accept the handshake")]
    Status(StatusCode),
    /// The response does not prove that the server read the key.
    #[error("the field `sec-websocket-accept` does not match the key")]
    Accept,
    /// The server chose a subprotocol that was not offered, or more than one.
    #[error("subprotocol `{0}` was not offered")]
    Subprotocol(String),
    /// The extensions are malformed or do not match the offer.
    #[error("the field `sec-websocket-extensions` is invalid")]
    Extensions(#[from] ExtensionError),
}

/// The `sec-websocket-accept` for a key (RFC 6455, section 4.2.2).
pub fn accept_key(key: &str) -> String {
    let digest = Sha1::new().chain_update(key.trim()).chain_update(GUID);
    STANDARD.encode(digest.finalize())
}

/// True if a request over HTTP/1.1 asks for a WebSocket, valid or not.
pub fn is_websocket_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, UPGRADE, "websocket") && has_token(headers, CONNECTION, "upgrade")
}

/// Validates a request over HTTP/1.1 (RFC 6455, section 4.2.1).
pub fn check_request(method: &Method, headers: &HeaderMap) -> Result<(), HandshakeError> {
    if method != Method::GET {
        return Err(HandshakeError::Method(method.clone()));
    }
    check_tokens(headers)?;
    check_request_fields(headers)?;
    let key = single_value(headers, SEC_WEBSOCKET_KEY).ok_or(HandshakeError::Key)?;
    let decoded = STANDARD.decode(key).map_err(|_| HandshakeError::Key)?;
    if decoded.len() != KEY_SIZE {
        return Err(HandshakeError::Key);
    }
    Ok(())
}

/// Validates a request over HTTP/2 whose `:protocol` is `websocket` (RFC 8441, section 5). It has
/// no key, and neither `upgrade` nor `connection`.
pub fn check_connect_request(method: &Method, headers: &HeaderMap) -> Result<(), HandshakeError> {
    if method != Method::CONNECT {
        return Err(HandshakeError::Method(method.clone()));
    }
    check_request_fields(headers)
}

/// Validates a response over HTTP/1.1 (RFC 6455, section 4.1, the list at its end).
pub fn check_response(
    request: &HeaderMap,
    status: StatusCode,
    response: &HeaderMap,
) -> Result<(), HandshakeError> {
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return Err(HandshakeError::Status(status));
    }
    check_tokens(response)?;
    let key = single_value(request, SEC_WEBSOCKET_KEY).ok_or(HandshakeError::Key)?;
    if single_value(response, SEC_WEBSOCKET_ACCEPT) != Some(&accept_key(key)) {
        return Err(HandshakeError::Accept);
    }
    check_negotiated(request, response)
}

/// Validates a response over HTTP/2 (RFC 8441, section 5). Any 2xx accepts.
pub fn check_connect_response(
    request: &HeaderMap,
    status: StatusCode,
    response: &HeaderMap,
) -> Result<(), HandshakeError> {
    if !status.is_success() {
        return Err(HandshakeError::Status(status));
    }
    check_negotiated(request, response)
}

fn check_tokens(headers: &HeaderMap) -> Result<(), HandshakeError> {
    if !has_token(headers, UPGRADE, "websocket") {
        return Err(HandshakeError::Upgrade);
    }
    if !has_token(headers, CONNECTION, "upgrade") {
        return Err(HandshakeError::Connection);
    }
    Ok(())
}

/// Validates the fields that both versions of HTTP have in common.
fn check_request_fields(headers: &HeaderMap) -> Result<(), HandshakeError> {
    if single_value(headers, SEC_WEBSOCKET_VERSION) != Some(VERSION) {
        return Err(HandshakeError::Version);
    }
    Extension::all(headers)?;
    Ok(())
}

/// Checks that the subprotocol and extensions of a response were offered.
fn check_negotiated(request: &HeaderMap, response: &HeaderMap) -> Result<(), HandshakeError> {
    if response.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        let chosen = single_value(response, SEC_WEBSOCKET_PROTOCOL);
        if !chosen.is_some_and(|chosen| offers_subprotocol(request, chosen)) {
            let chosen: Vec<_> = items(response, SEC_WEBSOCKET_PROTOCOL).collect();
            return Err(HandshakeError::Subprotocol(chosen.join(", ")));
        }
    }
    negotiation::check(request, response)?;
    Ok(())
}

/// True if a request offers a subprotocol. Names are case-sensitive.
pub fn offers_subprotocol(request: &HeaderMap, subprotocol: &str) -> bool {
    items(request, SEC_WEBSOCKET_PROTOCOL).any(|offer| offer == subprotocol)
}

/// The offered extensions that are supported (RFC 7692). None if there are none.
pub fn supported_offers(request: &HeaderMap) -> Option<HeaderValue> {
    let known: Vec<_> = items(request, SEC_WEBSOCKET_EXTENSIONS)
        .filter(|offer| {
            let name = offer.split(';').next().unwrap_or_default().trim();
            name.eq_ignore_ascii_case(negotiation::DEFLATE)
        })
        .collect();
    let offers = HeaderValue::try_from(known.join(", ")).ok();
    offers.filter(|offers| !offers.is_empty())
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    items(headers, name).any(|item| item.eq_ignore_ascii_case(token))
}

/// The items of a list, which may be split over several fields.
fn items(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

/// The value of a field. None if it is missing, repeated or not ASCII.
fn single_value(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value.trim())
}
