//! The authority that a request names, and how it is sent on (RFC 9110, section 7.2).

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Request, Uri, Version};

use super::validation::InvalidMessage;

/// The host and port that a client names: those of the target (`:authority` on HTTP/2), otherwise
/// those of `host`. None if it names none.
///
/// # Errors
/// If they are not a host and port.
pub fn of_request<B>(request: &Request<B>) -> Result<Option<Authority>, InvalidMessage> {
    if let Some(authority) = request.uri().authority() {
        return Ok(Some(authority.clone()));
    }
    let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
    match host {
        None | Some(b"") => Ok(None),
        Some(host) => match Authority::try_from(host) {
            Ok(authority) => Ok(Some(authority)),
            Err(_) => Err(InvalidMessage::InvalidHost),
        },
    }
}

/// Makes the request one of HTTP/1.1: the authority moves from the target to `host`, which becomes
/// the first field (RFC 9112, sections 3.2 and 3.2.1; RFC 9110, section 7.2).
pub(crate) fn to_origin_form<B>(request: &mut Request<B>) {
    *request.version_mut() = Version::HTTP_11;
    set_host(request);
    let target = request.uri().path_and_query().cloned();
    *request.uri_mut() = target.map_or_else(Uri::default, Uri::from);
}

/// Sets `host` to the authority of the target, as the first field.
fn set_host<B>(request: &mut Request<B>) {
    let host = host_of(request.uri()).and_then(|host| HeaderValue::try_from(host).ok());
    if let Some(host) = host {
        let headers = std::mem::take(request.headers_mut());
        *request.headers_mut() = with_host_first(host, headers);
    }
}

/// The fields with this `host` before them. A field cannot be inserted before others, so all are
/// moved.
fn with_host_first(host: HeaderValue, headers: HeaderMap) -> HeaderMap {
    let mut ordered = HeaderMap::with_capacity(headers.len() + 1);
    ordered.insert(HOST, host);
    let mut last = None;
    for (name, value) in headers {
        // Only the first value of a name comes with the name.
        if name.is_some() {
            last = name;
        }
        if let Some(name) = last.as_ref().filter(|name| **name != HOST) {
            ordered.append(name.clone(), value);
        }
    }
    ordered
}

/// The host, and the port unless it is the scheme's own.
fn host_of(uri: &Uri) -> Option<String> {
    let authority = uri.authority()?;
    let default = match uri.scheme_str() {
        Some("https") => 443,
        _ => 80,
    };
    let port = authority.port_u16().filter(|port| *port != default);
    let host = authority.host();
    Some(port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_becomes_the_host() {
        let cases = [
            ("http://a.test:8080/x?y", "a.test:8080", "/x?y"),
            ("http://a.test:80/", "a.test", "/"),
            ("https://a.test:443/x", "a.test", "/x"),
            ("https://a.test:80/x", "a.test:80", "/x"),
            ("http://[::1]:9/", "[::1]:9", "/"),
        ];
        for (uri, host, target) in cases {
            let mut request = Request::get(uri).body(()).unwrap();
            to_origin_form(&mut request);
            assert_eq!(request.headers()[HOST], host, "{uri}");
            assert_eq!(request.uri().to_string(), target, "{uri}");
        }
    }

    #[test]
    fn the_host_is_the_first_field() {
        let request = Request::get("http://a.test/").header("b", "1");
        let request = request.header("c", "2").header("host", "other");
        let mut request = request.header("b", "3").header("a", "4").body(()).unwrap();
        to_origin_form(&mut request);
        let headers = request.headers().iter();
        let fields: Vec<_> = headers
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        let expected = [
            ("host", "a.test"),
            ("b", "1"),
            ("b", "3"),
            ("c", "2"),
            ("a", "4"),
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn the_target_is_asked_before_the_host_field() {
        let of = |uri: &str, host: &str| {
            let request = Request::get(uri).header(HOST, host).body(()).unwrap();
            of_request(&request).map(|named| named.map(|named| named.to_string()))
        };
        assert_eq!(of("http://a:1/x", "a:1"), Ok(Some("a:1".to_owned())));
        assert_eq!(of("/x", "b.test:2"), Ok(Some("b.test:2".to_owned())));
        assert_eq!(of("/x", ""), Ok(None));
        assert_eq!(of("/x", "a:b:c"), Err(InvalidMessage::InvalidHost));
    }
}
