//! Upstream URLs: `http://` (HTTP/1.1), `https://` (by ALPN) and `h2c://` (HTTP/2 by prior
//! knowledge).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use http::Uri;

use crate::config_error::ValueError;

/// The protocol of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// HTTP/1.1 without TLS.
    Http,
    /// TLS with HTTP/2 or HTTP/1.1 by ALPN (RFC 7301).
    Https,
    /// HTTP/2 without TLS by prior knowledge (RFC 9113, section 3.3).
    H2c,
}

/// The server to which an endpoint forwards requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// The protocol.
    pub scheme: Scheme,
    /// A host name in lower case or an IP address; IPv6 without brackets.
    pub host: String,
    /// The port; the default of the scheme if the URL has none.
    pub port: u16,
    /// The prefix of every request path: empty, or beginning but not ending with `/`.
    pub base_path: String,
}

impl Scheme {
    /// The port of a URL without one.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http | Self::H2c => 80,
            Self::Https => 443,
        }
    }

    /// The scheme as a URL has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::H2c => "h2c",
        }
    }
}

impl Upstream {
    /// Host and port as in `host` and `:authority`; without the default port of the scheme
    /// (RFC 9110, section 7.2).
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == self.scheme.default_port() {
            return host;
        }
        format!("{host}:{}", self.port)
    }

    /// The request target for the upstream when the client sends `target`. `*` is not changed
    /// (RFC 9112, section 3.2.4).
    pub fn request_target(&self, target: &str) -> String {
        if target == "*" {
            return target.to_owned();
        }
        format!("{}{target}", self.base_path)
    }

    /// The address, if it is known without a DNS query.
    pub(super) fn literal_addr(&self) -> Option<SocketAddr> {
        let host = match self.host.as_str() {
            "localhost" => "127.0.0.1",
            host => host,
        };
        let ip: IpAddr = host.parse().ok()?;
        Some(SocketAddr::new(ip, self.port))
    }
}

/// True if a socket that listens on `listener` accepts connections to `address`. Connecting to the
/// unspecified address means connecting to loopback, and an IPv4 address may be mapped to IPv6
/// (RFC 4291, section 2.5.5.2). `is_local` tells which addresses belong to this machine.
pub fn listener_accepts(
    listener: SocketAddr,
    address: SocketAddr,
    is_local: impl FnOnce(IpAddr) -> bool,
) -> bool {
    let target = match address.ip().to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let bound = listener.ip().to_canonical();
    listener.port() == address.port()
        && match bound.is_unspecified() {
            true => (bound.is_ipv6() || target.is_ipv4()) && is_local(target),
            false => bound == target,
        }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, authority) = (self.scheme.as_str(), self.authority());
        write!(f, "{scheme}://{authority}{}", self.base_path)
    }
}

impl FromStr for Upstream {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let shown = sanitize(text);
        let Some((scheme, rest)) = text.split_once("://") else {
            let problem = ValueError::new(format!("the URL \"{shown}\" has no scheme"));
            let hint = match is_local(text) {
                true => format!("write \"http://{shown}\", or \"https://{shown}\" for TLS"),
                false => format!("write \"https://{shown}\", or \"http://{shown}\" without TLS"),
            };
            return Err(problem.with_hint(hint));
        };
        let scheme = parse_scheme(scheme, rest)?;
        if text.contains(['?', '#']) {
            let problem = ValueError::new("an upstream URL cannot have a query or a fragment");
            return Err(problem.with_hint("remove `?` or `#` and what follows"));
        }
        let uri: Uri = format!("{}://{rest}", scheme.as_str())
            .parse()
            .map_err(|_| {
                ValueError::new(format!("\"{shown}\" is not a URL")).with_hint(
                    "write it as \"https://api.example.com\" or \"http://127.0.0.1:9000/base\"",
                )
            })?;
        from_uri(scheme, &uri)
    }
}

fn parse_scheme(written: &str, rest: &str) -> Result<Scheme, ValueError> {
    let shown = sanitize(rest);
    let hint = match written.to_ascii_lowercase().as_str() {
        "http" => return Ok(Scheme::Http),
        "https" => return Ok(Scheme::Https),
        "h2c" => return Ok(Scheme::H2c),
        "ws" => format!("write \"http://{shown}\", which is used for WebSocket upgrades too"),
        "wss" => format!("write \"https://{shown}\", which is used for WebSocket upgrades too"),
        "grpc" => format!("write \"h2c://{shown}\", or \"https://{shown}\" for TLS"),
        "grpcs" | "h2" | "http2" => {
            format!("write \"https://{shown}\", or \"h2c://{shown}\" without TLS")
        }
        _ => "write `http://`, `https://` or `h2c://`".to_owned(),
    };
    let problem = ValueError::new(format!("unknown URL scheme \"{}\"", sanitize(written)));
    Err(problem.with_hint(hint))
}

/// True for a URL without a scheme that names this machine or an address, which seldom has TLS.
fn is_local(text: &str) -> bool {
    let authority = text.split('/').next().unwrap_or_default();
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok()
}

fn from_uri(scheme: Scheme, uri: &Uri) -> Result<Upstream, ValueError> {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        let problem = ValueError::new("an upstream URL cannot have a user or a password");
        return Err(problem.with_hint("remove them: clients send their own credentials"));
    }
    let host = uri.host().unwrap_or_default();
    let port = match authority.strip_prefix(host) {
        None | Some("") => scheme.default_port(),
        Some(port) => parse_port(port)?,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(ValueError::new("the URL has no host")
            .with_hint("write it as \"https://api.example.com\""));
    }
    if is_numeric_host(host) {
        let shown = sanitize(host);
        let problem = ValueError::new(format!("\"{shown}\" is not a host name or an IP address"));
        return Err(problem.with_hint("write an IPv4 address as four numbers, as 127.0.0.1"));
    }
    Ok(Upstream {
        scheme,
        host: host.to_ascii_lowercase(),
        port,
        base_path: uri.path().trim_end_matches('/').to_owned(),
    })
}

/// True for an IPv4 address as one number, in octal or with parts left out. Systems differ in how
/// they read them (RFC 3986, section 7.4). No host name ends with a number (RFC 1123, section 2.1).
fn is_numeric_host(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next();
    let last = last.unwrap_or_default().to_ascii_lowercase();
    let hex = last.strip_prefix("0x");
    let is_decimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = !last.is_empty() && is_decimal(&last)
        || hex.is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    is_number && host.parse::<IpAddr>().is_err()
}

/// Parses a port with the colon before it.
fn parse_port(written: &str) -> Result<u16, ValueError> {
    let number = written.strip_prefix(':').and_then(|port| port.parse().ok());
    number.filter(|port| *port != 0).ok_or_else(|| {
        ValueError::new(format!("{written:?} is not a port"))
            .with_hint("write a number from 1 to 65535")
    })
}

/// Text from the configuration as an error may show it: short, without control characters and
/// credentials.
fn sanitize(text: &str) -> String {
    let text = text.rsplit_once('@').map_or(text, |(_, after)| after);
    let short: String = text.chars().take(80).collect();
    short.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_urls() {
        let cases = [
            ("http://a", "http://a", "a", 80),
            (
                "https://API.example.com/",
                "https://api.example.com",
                "api.example.com",
                443,
            ),
            ("HTTPS://a:443/v1/", "https://a/v1", "a", 443),
            (
                "h2c://127.0.0.1:50051",
                "h2c://127.0.0.1:50051",
                "127.0.0.1",
                50051,
            ),
            (
                "http://[::1]:9000/x/y",
                "http://[::1]:9000/x/y",
                "::1",
                9000,
            ),
            ("http://a:443", "http://a:443", "a", 443),
        ];
        for (text, shown, host, port) in cases {
            let upstream: Upstream = text.parse().unwrap();
            assert_eq!(upstream.to_string(), shown);
            assert_eq!(
                (upstream.host.as_str(), upstream.port),
                (host, port),
                "{text}"
            );
        }
    }

    #[test]
    fn rejects_invalid_urls_with_a_hint() {
        let cases = [
            ("localhost:9000", "write \"http://localhost:9000\","),
            ("127.0.0.1:80/x", "write \"http://127.0.0.1:80/x\","),
            ("[::1]:80", "write \"http://[::1]:80\","),
            ("api.example.com", "write \"https://api.example.com\","),
            (
                "api.example.com:80",
                "write \"https://api.example.com:80\",",
            ),
            ("ws://a:9/b", "write \"http://a:9/b\","),
            ("wss://a", "write \"https://a\","),
            ("GRPC://a:50051", "write \"h2c://a:50051\","),
            ("grpcs://a", "write \"https://a\","),
            ("ftp://a", "h2c://"),
            ("http://", "URL"),
            ("http://:80", "URL"),
            ("http://a:", "port"),
            ("http://a:0", "port"),
            ("http://a:99999", "port"),
            ("http://user:pass@a", "credentials"),
            ("http://2130706433:80", "four numbers"),
            ("http://0177.0.0.1", "four numbers"),
            ("http://127.1", "four numbers"),
            ("http://0x7f000001", "four numbers"),
            ("http://127.0.0.1.", "four numbers"),
            ("http://a/?b", "query"),
            ("http://a/#b", "fragment"),
            ("http://a b", "URL"),
            ("", "scheme"),
        ];
        for (text, expected) in cases {
            let problem = text.parse::<Upstream>().unwrap_err();
            let shown = format!("{problem} {}", problem.hint.as_deref().unwrap_or_default());
            assert!(shown.contains(expected), "{text}: {shown}");
            assert!(!shown.contains("pass@"), "{shown}");
        }
    }

    #[test]
    fn request_targets_begin_with_the_base_path() {
        let upstream: Upstream = "http://a/v1/".parse().unwrap();
        assert_eq!(upstream.request_target("/x?y=1"), "/v1/x?y=1");
        assert_eq!(upstream.request_target("/"), "/v1/");
        assert_eq!(upstream.request_target("*"), "*");
    }
}
