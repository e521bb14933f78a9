//! The target of a request on HTTP/1.1.

use http::header::HOST;
use http::{HeaderValue, Request, Uri, Version};

/// Moves the authority of the target to `host` (RFC 9112, sections 3.2 and 3.2.1).
pub(super) fn to_origin_form<B>(request: &mut Request<B>) {
    *request.version_mut() = Version::HTTP_11;
    let host = host_of(request.uri());
    if let Some(Ok(host)) = host.map(HeaderValue::try_from) {
        request.headers_mut().entry(HOST).or_insert(host);
    }
    let target = request.uri().path_and_query().cloned();
    *request.uri_mut() = target.map_or_else(Uri::default, Uri::from);
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
}
