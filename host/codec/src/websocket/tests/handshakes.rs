//! Opening handshakes, good and bad.

use http::{Method, StatusCode};

use super::*;
use crate::websocket::{
    HandshakeError, accept_key, check_connect_request, check_connect_response, check_request,
    check_response, is_websocket_upgrade,
};

type Row = (&'static str, &'static str);

const ASKED: [Row; 6] = [
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

const ANSWERED: [Row; 3] = [
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
];

/// Some fields with others in the place of those of the same name; an empty value takes one out.
fn with(fields: &[Row], others: &[Row]) -> HeaderMap {
    let kept = fields
        .iter()
        .filter(|(name, _)| !others.iter().any(|(other, _)| other == name));
    let all = kept.chain(others).filter(|(_, value)| !value.is_empty());
    headers(&all.copied().collect::<Vec<_>>())
}

#[test]
fn the_key_of_the_rfc_is_accepted() {
    assert_eq!(
        accept_key("dGhlIHNhbXBsZSBub25jZQ=="),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
}

#[test]
fn requests_are_checked() {
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
            check_request(&Method::GET, &with(&ASKED, others)),
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
        (&[(key, ASKED[3].1), (key, ASKED[3].1)], &bad_key),
        (&[("sec-websocket-extensions", "a; ;b")], &extension),
        (&[("sec-websocket-extensions", "a b")], &extension),
    ];
    for (others, expected) in bad {
        let error = check_request(&Method::GET, &with(&ASKED, others)).unwrap_err();
        assert!(expected(&error), "{others:?}: {error}");
    }
    let error = check_request(&Method::POST, &with(&ASKED, &[])).unwrap_err();
    assert_eq!(error, HandshakeError::Method(Method::POST));
}

#[test]
fn upgrades_are_seen_even_where_they_are_bad() {
    assert!(is_websocket_upgrade(&with(
        &ASKED,
        &[("sec-websocket-key", "")]
    )));
    assert!(!is_websocket_upgrade(&with(&ASKED, &[("upgrade", "h2c")])));
    assert!(!is_websocket_upgrade(&with(
        &ASKED,
        &[("connection", "close")]
    )));
}

const PROTOCOL: &str = "sec-websocket-protocol";
const EXTENSIONS: &str = "sec-websocket-extensions";

/// What is said against a response with other fields; nothing where it is good.
fn against(others: &[Row]) -> String {
    let (asked, answered) = (with(&ASKED, &[]), with(&ANSWERED, others));
    match check_response(&asked, StatusCode::SWITCHING_PROTOCOLS, &answered) {
        Ok(()) => String::new(),
        Err(HandshakeError::Extensions(inner)) => inner.to_string(),
        Err(other) => other.to_string(),
    }
}

#[test]
fn good_responses_are_accepted() {
    let good: [&[Row]; 5] = [
        &[],
        &[(PROTOCOL, "superchat")],
        &[(EXTENSIONS, "x-own; anything=1")],
        &[(EXTENSIONS, "permessage-deflate; client_max_window_bits=10")],
        &[(EXTENSIONS, "permessage-deflate"), (EXTENSIONS, "x-own")],
    ];
    for others in good {
        assert_eq!(against(others), "", "{others:?}");
    }
}

#[test]
fn bad_responses_are_refused() {
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
        (&[(EXTENSIONS, "x-own, x-own")], "extension `x-own` stands"),
        (&[(EXTENSIONS, "x-own=1")], "`x-own=1` is no list"),
        (&[(EXTENSIONS, "permessage-deflate; a")], "parameter `a` of"),
        (&[(EXTENSIONS, bits)], "parameter `client_max_window_bits`"),
    ];
    for (others, expected) in bad {
        let told = against(others);
        assert!(told.starts_with(expected), "{others:?}: {told}");
    }
    let (asked, answered) = (with(&ASKED, &[]), with(&ANSWERED, &[]));
    let refused = check_response(&asked, StatusCode::OK, &answered);
    assert_eq!(refused, Err(HandshakeError::Status(StatusCode::OK)));
}

#[test]
fn handshakes_over_http_2_have_neither_key_nor_upgrade() {
    let asked = with(
        &ASKED,
        &[
            ("upgrade", ""),
            ("connection", ""),
            ("sec-websocket-key", ""),
        ],
    );
    assert_eq!(check_connect_request(&Method::CONNECT, &asked), Ok(()));
    let error = check_connect_request(&Method::GET, &asked).unwrap_err();
    assert_eq!(error, HandshakeError::Method(Method::GET));
    let old = with(&ASKED, &[("sec-websocket-version", "12")]);
    let error = check_connect_request(&Method::CONNECT, &old).unwrap_err();
    assert_eq!(error, HandshakeError::Version);
    let bare = HeaderMap::new();
    assert_eq!(
        check_connect_response(&asked, StatusCode::OK, &bare),
        Ok(())
    );
    assert_eq!(
        check_connect_response(&asked, StatusCode::CREATED, &bare),
        Ok(())
    );
    let error = check_connect_response(&asked, StatusCode::SWITCHING_PROTOCOLS, &bare);
    assert!(matches!(error, Err(HandshakeError::Status(_))));
    let chosen = headers(&[("sec-websocket-protocol", "other")]);
    let error = check_connect_response(&asked, StatusCode::OK, &chosen);
    assert!(matches!(error, Err(HandshakeError::Subprotocol(_))));
}
