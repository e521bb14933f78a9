//! Which servers a request may be for (RFC 9110, section 7.4). An endpoint has one upstream, so it
//! does not answer for another server.
//!
//! Only the target of HTTP/1.1 in absolute form is checked: a client has it that uses the gateway
//! as its proxy. A client of a reverse proxy may name it as it likes in `host` and `:authority`,
//! for example by the name of a container or of a mapped port.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::uri::{Authority, Scheme};
use http::{Request, Version};

use super::endpoint::Endpoint;
use super::error::ExchangeError;
use ouli_config::Upstream;
use ouli_net::upstream::OwnListeners;

/// Rejects a request whose target names a server that is neither the upstream of the endpoint nor
/// the gateway.
pub(super) fn check<B>(
    request: &Request<B>,
    endpoint: &Endpoint,
    own_listeners: &OwnListeners,
) -> Result<(), ExchangeError> {
    let uri = request.uri();
    let (Some(authority), Some(upstream)) = (uri.authority(), &endpoint.configured.upstream) else {
        return Ok(());
    };
    if request.version() > Version::HTTP_11
        || names_upstream(authority, uri.scheme(), upstream)
        || names_listener(authority, &endpoint.name, own_listeners)
    {
        return Ok(());
    }
    let scheme = uri.scheme_str().unwrap_or("http");
    Err(ExchangeError::Misdirected {
        server: format!("{scheme}://{authority}"),
        endpoint: endpoint.name.to_string(),
        upstream: upstream.to_string(),
    })
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
            let target: http::Uri = target.parse().unwrap();
            let authority = target.authority().unwrap();
            let upstream = upstream.parse().unwrap();
            let named = names_upstream(authority, target.scheme(), &upstream);
            assert_eq!(named, expected, "{target} for {upstream}");
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
