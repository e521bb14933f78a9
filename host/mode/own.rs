//! The pages of the gateway's own, under a prefix that no upstream is asked for.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response};

use super::{Live, Outgoing};

/// The state of the plugins: what is live, rejected and draining.
pub const PLUGINS_PATH: &str = "/__ouli/plugins";

/// The page that a request is for. None where it is for the upstream.
///
/// A page of the web that found its way here by a name of its own (DNS rebinding) gets nothing: the
/// request must name this machine or an address.
pub(super) fn page<B>(live: &Live, request: &Request<B>) -> Option<Response<Outgoing>> {
    let wanted = request.uri().path() == PLUGINS_PATH && *request.method() == Method::GET;
    if !wanted || !is_local(request) {
        return None;
    }
    let body = Bytes::from((live.plugins_page)());
    let mut response = Response::new(Outgoing::recorded(body, None, true));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Some(response)
}

fn is_local<B>(request: &Request<B>) -> bool {
    let authority = request.uri().authority().map(|authority| authority.host());
    let header = request.headers().get(HOST);
    let header = header.and_then(|value| value.to_str().ok());
    let Some(host) = authority.or(header) else {
        return false;
    };
    let parsed: Result<http::uri::Authority, _> = host.parse();
    let host = parsed.as_ref().map_or(host, |authority| authority.host());
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_or_an_address_is_answered() {
        for (host, expected) in [
            ("127.0.0.1:8080", true),
            ("127.0.0.1", true),
            ("[::1]:8080", true),
            ("localhost:8080", true),
            ("evil.example:8080", false),
            ("localhost.evil.example", false),
            ("", false),
        ] {
            let request = Request::get(PLUGINS_PATH).header(HOST, host);
            assert_eq!(is_local(&request.body(()).unwrap()), expected, "{host}");
        }
    }
}
