//! Which servers a request may be for (RFC 9110, section 7.4). An endpoint has one upstream, so it
//! does not answer for another server.
//!
//! Only the target of HTTP/1.1 in absolute form is checked: a client has it that uses the gateway
//! as its proxy. A client of a reverse proxy may name it as it likes in `host` and `:authority`,
//! for example by the name of a container or of a mapped port.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::uri::{Authority, Scheme};
use http::{Request, Uri, Version};

use super::endpoint::Endpoint;
use super::error::ExchangeError;
use super::request_context::RequestContext;
use ouli_config::Upstream;
use ouli_net::upstream::OwnListeners;

/// Rejects a request whose target names a server that is neither the upstream of the endpoint nor
/// the gateway. An endpoint without an upstream is checked by [`check_recorded`].
pub(super) fn check<B>(
    request: &Request<B>,
    endpoint: &Endpoint,
    own_listeners: &OwnListeners,
) -> Result<(), ExchangeError> {
    let Some(upstream) = &endpoint.configured.upstream else {
        return Ok(());
    };
    match foreign_target(request, endpoint, own_listeners) {
        Some(named) if !names_upstream(named, request.uri().scheme(), upstream) => {
            Err(misdirected(request.uri(), endpoint, upstream.to_string()))
        }
        Some(_) | None => Ok(()),
    }
}

/// Rejects a request to an endpoint without an upstream whose target names neither an upstream
/// that the session was recorded from nor the gateway. A session without exchanges rejects
/// nothing: its report of a miss says more.
pub(super) async fn check_recorded<B>(
    request: &Request<B>,
    context: &RequestContext<'_>,
) -> Result<(), ExchangeError> {
    let endpoint = &context.endpoint;
    if endpoint.configured.upstream.is_some() {
        return Ok(());
    }
    let own_listeners = &context.handler.shared.own_listeners;
    let Some(named) = foreign_target(request, endpoint, own_listeners) else {
        return Ok(());
    };
    // The index is made of the cassette, which names the upstreams.
    context.index().await?;
    let recorded = context.session.authorities();
    if recorded.is_empty() || recorded.iter().any(|it| names_recorded(named, it)) {
        return Ok(());
    }
    let recorded: Vec<_> = recorded.into_iter().collect();
    let (session, recorded) = (context.session.name(), recorded.join(", "));
    let upstream = format!("the upstream of the session {session} ({recorded})");
    Err(misdirected(request.uri(), endpoint, upstream))
}

/// The authority of a target in absolute form, unless it is an address of the gateway.
fn foreign_target<'a, B>(
    request: &'a Request<B>,
    endpoint: &Endpoint,
    own_listeners: &OwnListeners,
) -> Option<&'a Authority> {
    if request.version() > Version::HTTP_11 {
        return None;
    }
    let named = request.uri().authority()?;
    (!names_listener(named, &endpoint.name, own_listeners)).then_some(named)
}

fn misdirected(target: &Uri, endpoint: &Endpoint, upstream: String) -> ExchangeError {
    let scheme = target.scheme_str().unwrap_or("http");
    let authority = target.authority().map_or("", Authority::as_str);
    ExchangeError::Misdirected {
        server: format!("{scheme}://{authority}"),
        endpoint: endpoint.name.to_string(),
        upstream,
    }
}

/// True for a recorded authority. It has no port if that is the default of its scheme, which is
/// not recorded.
fn names_recorded(named: &Authority, recorded: &str) -> bool {
    let Ok(recorded) = recorded.parse::<Authority>() else {
        return false;
    };
    let is_port = match (named.port_u16(), recorded.port_u16()) {
        (Some(named), None) => matches!(named, 80 | 443),
        (named, recorded) => named == recorded,
    };
    is_port && bare_host(named).eq_ignore_ascii_case(bare_host(&recorded))
}

/// True for the host of the upstream with its port. A target without a port names the upstream's
/// default port too: a client that reaches a server by `https` may be told to use `http` for the
/// gateway.
fn names_upstream(authority: &Authority, scheme: Option<&Scheme>, upstream: &Upstream) -> bool {
    let default = match scheme {
        Some(scheme) if *scheme == Scheme::HTTPS => 443,
        _ => 80,
    };
    let is_port = match authority.port_u16() {
        Some(port) => port == upstream.port,
        None => upstream.port == default || upstream.port == upstream.scheme.default_port(),
    };
    is_port && bare_host(authority).eq_ignore_ascii_case(&upstream.host)
}

/// True for an address of the listener, and for any name with its port: names of containers and
/// entries of `/etc/hosts` are not known here.
fn names_listener(authority: &Authority, endpoint: &str, own_listeners: &OwnListeners) -> bool {
    let host = bare_host(authority);
    let Ok(ip) = host.parse::<IpAddr>() else {
        let port = own_listeners.port_of(endpoint);
        return authority
            .port_u16()
            .is_some_and(|named| Some(named) == port)
            || host.eq_ignore_ascii_case("localhost") && port == Some(80);
    };
    let ip = if ip.is_unspecified() {
        Ipv4Addr::LOCALHOST.into()
    } else {
        ip
    };
    let address = SocketAddr::new(ip, authority.port_u16().unwrap_or(80));
    own_listeners.endpoint_at(address).as_deref() == Some(endpoint)
}

/// The host, an IPv6 address without brackets.
fn bare_host(authority: &Authority) -> &str {
    authority.host().trim_matches(['[', ']'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upstream_is_named_by_host_and_port() {
        let cases = [
            ("http://a.test", "http://a.test", true),
            ("http://A.test:80", "http://a.test", true),
            ("http://a.test", "https://a.test", true),
            ("https://a.test", "https://a.test", true),
            ("http://a.test:8080", "http://a.test", false),
            ("http://a.test", "http://a.test:8080", false),
            ("http://a.test:8080", "h2c://a.test:8080", true),
            ("http://b.test", "http://a.test", false),
            ("http://[::1]:9", "http://[::1]:9", true),
        ];
        for (target, upstream, expected) in cases {
            let target: Uri = target.parse().unwrap();
            let authority = target.authority().unwrap();
            let upstream = upstream.parse().unwrap();
            let named = names_upstream(authority, target.scheme(), &upstream);
            assert_eq!(named, expected, "{target} for {upstream}");
        }
    }

    #[test]
    fn a_recorded_upstream_is_named_by_host_and_port() {
        for (named, recorded, expected) in [
            ("a.test", "a.test", true),
            ("A.test:443", "a.test", true),
            ("a.test:80", "a.test", true),
            ("a.test:8080", "a.test", false),
            ("a.test", "a.test:8080", false),
            ("a.test:8080", "a.test:8080", true),
            ("b.test", "a.test", false),
            ("[::1]:9", "[::1]:9", true),
            ("a.test", "", false),
        ] {
            let is_named = names_recorded(&named.parse().unwrap(), recorded);
            assert_eq!(is_named, expected, "{named} for {recorded}");
        }
    }

    #[test]
    fn the_listener_is_named_by_address_or_by_port() {
        let own_listeners = OwnListeners::default();
        own_listeners.add("api", "0.0.0.0:8080".parse().unwrap());
        own_listeners.add("other", "127.0.0.1:8081".parse().unwrap());
        for (authority, expected) in [
            ("127.0.0.1:8080", true),
            ("localhost:8080", true),
            ("gateway:8080", true),
            ("127.0.0.1", false),
            ("127.0.0.1:8081", false),
            ("192.0.2.1:8080", false),
            ("localhost", false),
            ("gateway", false),
        ] {
            let named = names_listener(&authority.parse().unwrap(), "api", &own_listeners);
            assert_eq!(named, expected, "{authority}");
        }
    }
}
