//! Request and response heads: WebSocket handshakes, negotiation and forwarded fields.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use ouli_codec::websocket::{self, DeflateParams};
use ouli_codec::{chunks, content_coding, form, multipart};
use ouli_net::http::forwarding::{self, Rewrite};

use super::choices::Choices;

const NAMES: [&str; 12] = [
    "sec-websocket-extensions",
    "sec-websocket-protocol",
    "sec-websocket-key",
    "sec-websocket-version",
    "upgrade",
    "connection",
    "accept-encoding",
    "te",
    "keep-alive",
    "transfer-encoding",
    "host",
    "x-a",
];

/// Fields that are never forwarded (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [&str; 5] = [
    "connection",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
    "host",
];

/// The input is two heads.
pub(super) fn check(input: &[u8]) {
    let mut choices = Choices::new(input);
    let (offer, answer) = (head(&mut choices), head(&mut choices));
    let recorded = DeflateParams {
        client_no_context_takeover: choices.flag(),
        server_no_context_takeover: choices.flag(),
        client_max_window_bits: 8 + choices.byte() % 8,
        server_max_window_bits: 8 + choices.byte() % 8,
    };
    if let Some((value, agreed)) = DeflateParams::negotiate(&offer, &recorded) {
        // The client reads the same parameters from the response.
        let mut told = HeaderMap::new();
        told.insert("sec-websocket-extensions", value);
        assert_eq!(DeflateParams::from_response(&told), Ok(Some(agreed)));
    }
    if let Ok(Some(agreed)) = DeflateParams::from_response(&answer) {
        assert!((8..=15).contains(&agreed.client_max_window_bits));
        assert!((8..=15).contains(&agreed.server_max_window_bits));
    }
    let _ = websocket::check_request(&http::Method::GET, &offer);
    let _ = websocket::check_response(&offer, StatusCode::SWITCHING_PROTOCOLS, &answer);
    let _ = websocket::check_connect_request(&http::Method::CONNECT, &offer);
    let _ = websocket::check_connect_response(&offer, StatusCode::OK, &answer);

    let rewrite = Rewrite {
        forward_expect: false,
        restrict_codings: choices.flag(),
    };
    let onward = forwarding::request_headers(&offer, rewrite);
    let back = forwarding::response_headers(answer.clone());
    for name in HOP_BY_HOP {
        assert!(
            !onward.contains_key(name),
            "{name} is forwarded: {onward:?}"
        );
        assert!(
            name == "host" || !back.contains_key(name),
            "{name} is forwarded to the client: {back:?}"
        );
    }
    let te = onward.get_all("te");
    assert!(te.iter().all(|value| value == "trailers"), "{onward:?}");
    of_values(choices.rest());
}

/// Parsers of single field values.
fn of_values(value: &[u8]) {
    let text = String::from_utf8_lossy(value);
    let _ = chunks::chunk_kind(&text);
    let _ = ouli_message::exchange::is_grpc(&text);
    let _ = content_coding::accepts(Some(&text), content_coding::Coding::Gzip);
    let boundary = multipart::boundary(&text);
    assert!(boundary.is_none_or(|boundary| (1..=200).contains(&boundary.len())));
    let again = form::encode_component(&text);
    assert_eq!(form::decode(again.as_bytes()), text);
    for pair in form::parse(value) {
        assert_eq!(form::decode(&value[pair.value_span]), pair.value);
    }
}

fn head(choices: &mut Choices<'_>) -> HeaderMap {
    let mut head = HeaderMap::new();
    for _ in 0..choices.below(8) {
        let name = HeaderName::from_static(choices.one_of(&NAMES));
        if let Ok(value) = HeaderValue::from_bytes(choices.bytes()) {
            head.append(name, value);
        }
    }
    head
}
