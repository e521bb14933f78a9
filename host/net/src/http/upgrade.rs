//! Upgrades of HTTP/1.1 connections to protocols that the gateway does not read (RFC 9110, section
//! 7.8).

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Version};

/// The protocols that a request offers and a tunnel can carry. WebSocket has a tunnel of its own.
/// HTTP is never tunnelled, since its requests would not be validated.
pub fn offered_protocols<B>(request: &Request<B>) -> Option<HeaderValue> {
    let headers = request.headers();
    if request.version() != Version::HTTP_11
        || !items(headers, CONNECTION).any(|option| option.eq_ignore_ascii_case("upgrade"))
    {
        return None;
    }
    let offered: Vec<_> = items(headers, UPGRADE)
        .filter(|protocol| is_tunnelled(protocol))
        .collect();
    let offered = HeaderValue::try_from(offered.join(", ")).ok();
    offered.filter(|offered| !offered.is_empty())
}

/// The protocol that a 101 response switches to. None unless it is a single one of those offered.
pub fn accepted_protocol(offered: &HeaderValue, response: &HeaderMap) -> Option<HeaderValue> {
    if !items(response, CONNECTION).any(|option| option.eq_ignore_ascii_case("upgrade")) {
        return None;
    }
    let mut values = response.get_all(UPGRADE).iter();
    let (accepted, None) = (values.next()?, values.next()) else {
        return None;
    };
    let protocol = accepted.to_str().ok()?.trim();
    let offered = offered.to_str().ok()?;
    let mut offered = offered.split(',').map(str::trim);
    offered
        .any(|offer| offer.eq_ignore_ascii_case(protocol))
        .then(|| accepted.clone())
}

fn is_tunnelled(protocol: &str) -> bool {
    let name = protocol.split('/').next().unwrap_or_default();
    !["http", "h2c", "h2", "websocket"]
        .iter()
        .any(|other| name.eq_ignore_ascii_case(other))
}

/// The items of a list, which may be split over several fields.
fn items(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(connection: &str, upgrade: &str) -> Request<()> {
        let request = Request::post("/").header(CONNECTION, connection);
        request.header(UPGRADE, upgrade).body(()).unwrap()
    }

    #[test]
    fn http_and_websockets_are_no_opaque_tunnels() {
        for (upgrade, expected) in [
            ("tcp", Some("tcp")),
            ("SPDY/3.1", Some("SPDY/3.1")),
            ("TLS/1.2, tcp", Some("TLS/1.2, tcp")),
            ("h2c", None),
            ("HTTP/2.0, H2C, http/1.1", None),
            ("h2c, tcp", Some("tcp")),
            ("websocket", None),
            (" , ", None),
        ] {
            let offered = offered_protocols(&request("keep-alive, Upgrade", upgrade));
            let offered = offered.as_ref().map(|it| it.to_str().unwrap());
            assert_eq!(offered, expected, "{upgrade}");
        }
        assert_eq!(offered_protocols(&request("close", "tcp")), None);
        let mut http10 = request("upgrade", "tcp");
        *http10.version_mut() = Version::HTTP_10;
        assert_eq!(offered_protocols(&http10), None);
    }

    #[test]
    fn only_an_offered_protocol_is_accepted() {
        let offered = HeaderValue::from_static("SPDY/3.1, tcp");
        for (connection, upgrade, expected) in [
            ("Upgrade", "spdy/3.1", true),
            ("keep-alive, upgrade", "tcp", true),
            ("Upgrade", "h2c", false),
            ("Upgrade", "SPDY/3.1, tcp", false),
            ("Upgrade", "", false),
            ("close", "tcp", false),
        ] {
            let response = request(connection, upgrade);
            let accepted = accepted_protocol(&offered, response.headers());
            assert_eq!(accepted.is_some(), expected, "{connection}: {upgrade}");
        }
    }
}
