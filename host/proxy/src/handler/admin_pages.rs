//! The gateway's own pages, under a prefix that is never forwarded to an upstream.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, ORIGIN, REFERER};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};

use super::error::ExchangeError;
use super::response_body::OutgoingBody;
use super::session_pages::{READ, SessionPage};
use super::shared_state::SharedState;
use ouli_net::upstream::OwnListeners;

/// The state of the plugins: live, rejected and draining.
pub const PLUGIN_STATUS_PATH: &str = "/__ouli/plugins";

/// Why a client elsewhere may not see the pages, whatever host it names.
const OTHER_MACHINE: &str = "it comes from another machine; send it from that of the gateway, in a \
                             container with `docker exec` or `kubectl exec`";

/// The icon that a browser asks for with every page.
const ICON_PATH: &str = "/favicon.ico";

/// The paths of the gateway's own pages that a browser shows.
const SHOWN_PAGES: [&str; 2] = [PLUGIN_STATUS_PATH, "/__ouli/sessions"];

/// Whether the gateway is ready: 200, or 503 once it stops.
const HEALTH_PATH: &str = "/__ouli/healthz";

/// The health of the gateway. None if the request is for something else.
///
/// Every host is answered, because a probe names the address that it knows. The page says nothing
/// about traffic.
pub(super) fn health_response<B>(
    shared: &SharedState,
    request: &Request<B>,
) -> Option<Result<Response<OutgoingBody>, ExchangeError>> {
    if request.uri().path() != HEALTH_PATH {
        return None;
    }
    if !is_read(request.method()) {
        return Some(Err(ExchangeError::PageMethod(READ)));
    }
    if shared.drain.is_draining() {
        return Some(Err(ExchangeError::Stopping));
    }
    Some(Ok(json_response("{\"status\": \"ready\"}\n".to_owned())))
}

/// The page that a request asks for. None if the request is for the upstream.
///
/// # Errors
/// If `peer` is another machine, or if the request may come from a web page, across origins or by
/// DNS rebinding: its host must be this machine or the listener, and its origin must be the same.
pub(super) async fn admin_response<B>(
    shared: &SharedState,
    request: &Request<B>,
    peer: IpAddr,
) -> Result<Option<Response<OutgoingBody>>, ExchangeError> {
    let path = request.uri().path();
    if path == ICON_PATH && is_from_own_page(request.headers()) {
        return Err(ExchangeError::UnknownPage { in_session: false });
    }
    let session_page = SessionPage::of(request.method(), path)?;
    if path != PLUGIN_STATUS_PATH && session_page.is_none() {
        return Ok(None);
    }
    if let Some(reason) = rejection_reason(request, &shared.own_listeners, peer) {
        return Err(ExchangeError::AdminForbidden(reason));
    }
    let is_mark = matches!(session_page, Some(SessionPage::Mark(_)));
    if !is_mark && !is_read(request.method()) {
        let methods = match session_page {
            Some(page) => page.methods(),
            None => READ,
        };
        return Err(ExchangeError::PageMethod(methods));
    }
    Ok(Some(match session_page {
        Some(page) => match page.render(shared).await? {
            Some(body) => json_response(body),
            None => no_content(),
        },
        None => json_response((shared.plugin_status_page)()),
    }))
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn no_content() -> Response<OutgoingBody> {
    let mut response = Response::new(OutgoingBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// True if a page of the gateway's own refers to what is requested (RFC 9110, section 10.1.3).
fn is_from_own_page(headers: &HeaderMap) -> bool {
    let referer = header_text(headers, REFERER.as_str());
    let referer = referer.and_then(|referer| referer.parse::<Uri>().ok());
    referer.is_some_and(|uri| SHOWN_PAGES.iter().any(|page| uri.path().starts_with(page)))
}

fn json_response(body: String) -> Response<OutgoingBody> {
    let mut response = Response::new(OutgoingBody::full(Bytes::from(body), None, true));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// Why a request may not see the gateway's own pages; none if it may.
fn rejection_reason<B>(
    request: &Request<B>,
    own_listeners: &OwnListeners,
    peer: IpAddr,
) -> Option<&'static str> {
    if !OwnListeners::is_own_machine(peer) {
        return Some(OTHER_MACHINE);
    }
    let headers = request.headers();
    let Some(host) = request_authority(request).filter(|host| is_own_address(host, own_listeners))
    else {
        return Some("its host is neither this machine nor the listener");
    };
    let fetch_site = header_text(headers, SEC_FETCH_SITE);
    let same_site = matches!(fetch_site, None | Some("none" | "same-origin"));
    let origin = header_text(headers, ORIGIN.as_str());
    let same_origin = origin.is_none_or(|origin| {
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host.as_str()))
    });
    (!same_site || !same_origin).then_some("it comes from another origin")
}

/// The authority that the request names; none if it names none or several.
fn request_authority<B>(request: &Request<B>) -> Option<Authority> {
    let mut fields = request.headers().get_all(HOST).iter();
    let (field, second) = (fields.next(), fields.next());
    let field: Option<Authority> = match field {
        Some(field) => Some(field.to_str().ok()?.parse().ok()?),
        None => None,
    };
    let authority = request.uri().authority().cloned().or(field)?;
    // Host and port only: no userinfo, and a number after the colon.
    let port = authority.as_str().strip_prefix(authority.host())?;
    let is_plain = port.is_empty() || authority.port_u16().is_some();
    (second.is_none() && is_plain).then_some(authority)
}

fn is_own_address(authority: &Authority, own_listeners: &OwnListeners) -> bool {
    let host = authority.host();
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let Ok(ip) = address.parse::<IpAddr>() else {
        return false;
    };
    let port = authority.port_u16().unwrap_or(80);
    ip.is_loopback()
        || own_listeners
            .endpoint_at(SocketAddr::new(ip, port))
            .is_some()
}

/// The value of a header. A value that is not text equals no expected value.
fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// The relation between the page that sends a request and its target (Fetch Metadata, section 2.4).
const SEC_FETCH_SITE: &str = "sec-fetch-site";

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(host: &str, headers: &[(&str, &str)]) -> Option<&'static str> {
        rejected_from("127.0.0.1", host, headers)
    }

    fn rejected_from(peer: &str, host: &str, headers: &[(&str, &str)]) -> Option<&'static str> {
        let own_listeners = OwnListeners::default();
        own_listeners.add("every", "0.0.0.0:8080".parse().unwrap());
        own_listeners.add("one", "192.0.2.1:8081".parse().unwrap());
        let mut request = Request::get(PLUGIN_STATUS_PATH).header(HOST, host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        rejection_reason(&request, &own_listeners, peer.parse().unwrap())
    }

    #[test]
    fn another_machine_is_rejected_whatever_host_it_names() {
        for (peer, expected) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.2", true),
            ("192.0.2.7", false),
            ("::ffff:192.0.2.7", false),
            ("2001:db8::7", false),
        ] {
            for host in ["127.0.0.1:8080", "localhost", "192.0.2.1:8081"] {
                let found = rejected_from(peer, host, &[]);
                assert_eq!(found.is_none(), expected, "{host} from {peer}");
            }
        }
    }

    #[test]
    fn only_loopback_and_listener_hosts_are_answered() {
        for (host, expected) in [
            ("127.0.0.1:8080", true),
            ("127.0.0.1", true),
            ("[::1]:8080", true),
            ("localhost:8080", true),
            ("LocalHost", true),
            ("192.0.2.1:8081", true),
            ("192.0.2.1:8080", false),
            ("192.0.2.2:8081", false),
            ("evil.example:8080", false),
            ("localhost.evil.example", false),
            ("user@localhost", false),
            ("127.0.0.1:8080.evil.example", false),
            ("localhost:", false),
            ("localhost@evil.example", false),
            ("", false),
        ] {
            assert_eq!(rejected(host, &[]).is_none(), expected, "{host}");
        }
        assert!(rejected("localhost", &[("host", "evil.example")]).is_some());
    }

    #[test]
    fn cross_origin_requests_are_rejected() {
        for (header, value, expected) in [
            ("origin", "http://localhost:8080", true),
            ("origin", "https://localhost:8080", true),
            ("origin", "http://localhost:9000", false),
            ("origin", "http://evil.example", false),
            ("origin", "null", false),
            ("origin", "", false),
            ("sec-fetch-site", "none", true),
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "same-site", false),
            ("sec-fetch-site", "cross-site", false),
        ] {
            let found = rejected("localhost:8080", &[(header, value)]);
            assert_eq!(found.is_none(), expected, "{header}: {value}");
        }
    }
}
