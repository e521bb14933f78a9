//! Valid and invalid opening handshakes.

use http::{Method, StatusCode};

use super::*;
use crate::websocket::{
    HandshakeError, accept_key, check_connect_request, check_connect_response, check_request,
    check_response, is_websocket_upgrade,
};

type Row = (&'static str, &'static str);

const REQUEST: [Row; 6] = [
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-protocol", "chat, superchat"),
    (
        "sec-websocket-extensions",
        "permessage-deflate; client_max_window_bits, x-own",
    ),
];

const RESPONSE: [Row; 3] = [
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
];

/// Some fields with replacements by name. An empty value removes a field.
fn with_replaced(fields: &[Row], others: &[Row]) -> HeaderMap {
    let kept = fields
        .iter()
        .filter(|(name, _)| !others.iter().any(|(other, _)| other == name));
    let all = kept.chain(others).filter(|(_, value)| !value.is_empty());
    headers(&all.copied().collect::<Vec<_>>())
}

#[test]
fn computes_the_accept_key_of_the_rfc() {
    assert_eq!(
        accept_key("dGhlIHNhbXBsZSBub25jZQ=="),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
}

#[test]
fn validates_requests() {
    use HandshakeError::{Connection, Extensions, Key, Upgrade, Version};
    let key = "sec-websocket-key";
    let version = "sec-websocket-version";
    let good: [&[Row]; 5] = [
        &[],
        &[("upgrade", "h2c, WebSocket")],
        &[("connection", "keep-alive"), ("connection", "upGrade, x")],
        &[("sec-websocket-extensions", "")],
        &[("sec-websocket-protocol", "")],
    ];
    for others in good {
        assert_eq!(
            check_request(&Method::GET, &with_replaced(&REQUEST, others)),
            Ok(()),
            "{others:?}"
        );
    }
    let upgrade = |error: &HandshakeError| *error == Upgrade;
    let connection = |error: &HandshakeError| *error == Connection;
    let bad_version = |error: &HandshakeError| *error == Version;
    let bad_key = |error: &HandshakeError| *error == Key;
    let extension = |error: &HandshakeError| matches!(error, Extensions(_));
    type Test<'a> = (&'a [Row], &'a dyn Fn(&HandshakeError) -> bool);
    let bad: [Test<'_>; 14] = [
        (&[("upgrade", "")], &upgrade),
        (&[("upgrade", "websockets")], &upgrade),
        (&[("connection", "")], &connection),
        (&[("connection", "keep-alive")], &connection),
        (&[(version, "")], &bad_version),
        (&[(version, "8")], &bad_version),
        (&[(version, "13"), (version, "13")], &bad_version),
        (&[(key, "")], &bad_key),
        (&[(key, "dGhlIHNhbXBsZSBub25jZQ")], &bad_key),
        (&[(key, "dGhlIHNhbXBsZSBub25j")], &bad_key),
        (&[(key, "no base64 at all!!")], &bad_key),
        (&[(key, REQUEST[3].1), (key, REQUEST[3].1)], &bad_key),
        (&[("sec-websocket-extensions", "a; ;b")], &extension),
        (&[("sec-websocket-extensions", "a b")], &extension),
    ];
    for (others, expected) in bad {
        let error = check_request(&Method::GET, &with_replaced(&REQUEST, others)).unwrap_err();
        assert!(expected(&error), "{others:?}: {error}");
    }
    let error = check_request(&Method::POST, &with_replaced(&REQUEST, &[])).unwrap_err();
    assert_eq!(error, HandshakeError::Method(Method::POST));
}

#[test]
fn recognises_invalid_upgrade_requests() {
    assert!(is_websocket_upgrade(&with_replaced(
        &REQUEST,
        &[("sec-websocket-key", "")]
    )));
    assert!(!is_websocket_upgrade(&with_replaced(
        &REQUEST,
        &[("upgrade", "h2c")]
    )));
    assert!(!is_websocket_upgrade(&with_replaced(
        &REQUEST,
        &[("connection", "close")]
    )));
}

const PROTOCOL: &str = "sec-websocket-protocol";
const EXTENSIONS: &str = "sec-websocket-extensions";

/// The error of a response with replaced fields. Empty if it is valid.
fn response_error(others: &[Row]) -> String {
    let (request, response) = (
        with_replaced(&REQUEST, &[]),
        with_replaced(&RESPONSE, others),
    );
    match check_response(&request, StatusCode::SWITCHING_PROTOCOLS, &response) {
        Ok(()) => String::new(),
        Err(HandshakeError::Extensions(inner)) => inner.to_string(),
        Err(other) => other.to_string(),
    }
}

#[test]
fn accepts_valid_responses() {
    let good: [&[Row]; 5] = [
        &[],
        &[(PROTOCOL, "superchat")],
        &[(EXTENSIONS, "x-own; anything=1")],
        &[(EXTENSIONS, "permessage-deflate; client_max_window_bits=10")],
        &[(EXTENSIONS, "permessage-deflate"), (EXTENSIONS, "x-own")],
    ];
    for others in good {
        assert_eq!(response_error(others), "", "{others:?}");
    }
}

#[test]
fn rejects_invalid_responses() {
    let accept = "sec-websocket-accept";
    let bits = "permessage-deflate; client_max_window_bits";
    let bad: [(&[Row], &str); 12] = [
        (&[("upgrade", "")], "the field `upgrade` does not name"),
        (&[("connection", "")], "the field `connection` does not"),
        (&[(accept, "")], "the field `sec-websocket-accept` does"),
        (&[(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOO=")], "the field"),
        (&[(PROTOCOL, "Chat")], "subprotocol `Chat` was not"),
        (&[(PROTOCOL, "chat, superchat")], "subprotocol `chat, s"),
        (&[(PROTOCOL, "chat"), (PROTOCOL, "chat")], "subprotocol `"),
        (&[(EXTENSIONS, "y")], "extension `y` was not offered"),
        (
            &[(EXTENSIONS, "x-own, x-own")],
            "extension `x-own` is repeated",
        ),
        (&[(EXTENSIONS, "x-own=1")], "`x-own=1` is not a list"),
        (&[(EXTENSIONS, "permessage-deflate; a")], "parameter `a` of"),
        (&[(EXTENSIONS, bits)], "parameter `client_max_window_bits`"),
    ];
    for (others, expected) in bad {
        let error = response_error(others);
        assert!(error.starts_with(expected), "{others:?}: {error}");
    }
    let (request, response) = (with_replaced(&REQUEST, &[]), with_replaced(&RESPONSE, &[]));
    let result = check_response(&request, StatusCode::OK, &response);
    assert_eq!(result, Err(HandshakeError::Status(StatusCode::OK)));
}

#[test]
fn validates_handshakes_over_http_2() {
    let request = with_replaced(
        &REQUEST,
        &[
            ("upgrade", ""),
            ("connection", ""),
            ("sec-websocket-key", ""),
        ],
    );
    assert_eq!(check_connect_request(&Method::CONNECT, &request), Ok(()));
    let error = check_connect_request(&Method::GET, &request).unwrap_err();
    assert_eq!(error, HandshakeError::Method(Method::GET));
    let old = with_replaced(&REQUEST, &[("sec-websocket-version", "12")]);
    let error = check_connect_request(&Method::CONNECT, &old).unwrap_err();
    assert_eq!(error, HandshakeError::Version);
    let bare = HeaderMap::new();
    assert_eq!(
        check_connect_response(&request, StatusCode::OK, &bare),
        Ok(())
    );
    assert_eq!(
        check_connect_response(&request, StatusCode::CREATED, &bare),
        Ok(())
    );
    let error = check_connect_response(&request, StatusCode::SWITCHING_PROTOCOLS, &bare);
    assert!(matches!(error, Err(HandshakeError::Status(_))));
    let chosen = headers(&[("sec-websocket-protocol", "other")]);
    let error = check_connect_response(&request, StatusCode::OK, &chosen);
    assert!(matches!(error, Err(HandshakeError::Subprotocol(_))));
}
