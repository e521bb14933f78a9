//! Upstream URLs: `http://` (HTTP/1.1), `https://` (by ALPN) and `h2c://` (HTTP/2 by prior
//! knowledge).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use http::Uri;

use crate::config_error::ValueError;

/// How an upstream is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// HTTP/1.1 without TLS.
    Http,
    /// TLS; HTTP/2 or HTTP/1.1, as ALPN decides (RFC 7301).
    Https,
    /// HTTP/2 without TLS, by prior knowledge (RFC 9113, section 3.3).
    H2c,
}

/// The server that an endpoint asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// A name in lower case or an address; IPv6 without brackets.
    pub host: String,
    /// The port, that of the scheme where none is written.
    pub port: u16,
    /// What stands in front of every request's path: empty, or with a `/` in front and none at the
    /// end.
    pub base_path: String,
}

impl Scheme {
    /// The port where none is written.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http | Self::H2c => 80,
            Self::Https => 443,
        }
    }

    /// How it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::H2c => "h2c",
        }
    }
}

impl Upstream {
    /// Host and port as `host` and `:authority` carry them: no port where it is that of the scheme
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

    /// The path and query to ask for when a client asks for `target`. `*` stays as it is (RFC 9112,
    /// section 3.2.4).
    pub fn request_target(&self, target: &str) -> String {
        if target == "*" {
            return target.to_owned();
        }
        format!("{}{target}", self.base_path)
    }
}

impl Upstream {
    /// The address, where it can be told without asking a name server.
    pub(super) fn literal_addr(&self) -> Option<SocketAddr> {
        let host = match self.host.as_str() {
            "localhost" => "127.0.0.1",
            host => host,
        };
        let ip: IpAddr = host.parse().ok()?;
        Some(SocketAddr::new(ip, self.port))
    }
}

/// True where a socket that listens at `listener` takes connections to `address`. The unspecified
/// address is dialled as this machine's own, and an IPv4 address may be written as one of IPv6
/// (RFC 4291, section 2.5.5.2). Which addresses are this machine's, `is_local` knows.
pub fn listener_accepts(
    listener: SocketAddr,
    address: SocketAddr,
    is_local: impl FnOnce(IpAddr) -> bool,
) -> bool {
    let to = match address.ip().to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let at = listener.ip().to_canonical();
    listener.port() == address.port()
        && match at.is_unspecified() {
            true => (at.is_ipv6() || to.is_ipv4()) && is_local(to),
            false => at == to,
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
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(
                ValueError::new(format!("`{}` has no scheme", sanitize(text))).with_hint(format!(
                    "write `https://{0}` or `http://{0}`",
                    sanitize(text)
                )),
            );
        };
        let scheme = read_scheme(scheme)?;
        if text.contains(['?', '#']) {
            let problem = ValueError::new("an upstream has no query and no fragment");
            return Err(problem.with_hint("leave out what follows `?` or `#`"));
        }
        let uri: Uri = format!("{}://{rest}", scheme.as_str())
            .parse()
            .map_err(|_| {
                ValueError::new(format!("`{}` is not a URL", sanitize(text))).with_hint(
                    "write it as `https://api.example.com` or `http://127.0.0.1:9000/base`",
                )
            })?;
        from_uri(scheme, &uri)
    }
}

fn read_scheme(written: &str) -> Result<Scheme, ValueError> {
    match written.to_ascii_lowercase().as_str() {
        "http" => Ok(Scheme::Http),
        "https" => Ok(Scheme::Https),
        "h2c" => Ok(Scheme::H2c),
        "ws" => Err(unknown_scheme(
            written,
            "write `http://`: WebSocket upgrades follow the same URL",
        )),
        "wss" => Err(unknown_scheme(
            written,
            "write `https://`: WebSocket upgrades follow the same URL",
        )),
        _ => Err(unknown_scheme(
            written,
            "write `http://`, `https://` or `h2c://`",
        )),
    }
}

fn unknown_scheme(scheme: &str, hint: &str) -> ValueError {
    ValueError::new(format!("the scheme `{}` is not known", sanitize(scheme))).with_hint(hint)
}

fn from_uri(scheme: Scheme, uri: &Uri) -> Result<Upstream, ValueError> {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        let problem = ValueError::new("a URL with a user or a password");
        return Err(problem.with_hint("take them out: clients send their own credentials"));
    }
    let host = uri.host().unwrap_or_default();
    let port = match authority.strip_prefix(host) {
        None | Some("") => scheme.default_port(),
        Some(port) => read_port(port)?,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(ValueError::new("a URL without a host")
            .with_hint("write it as `https://api.example.com`"));
    }
    if is_numeric_host(host) {
        let problem = ValueError::new(format!(
            "`{}` is neither an address nor a name",
            sanitize(host)
        ));
        return Err(problem.with_hint("write an address as four numbers, as `127.0.0.1`"));
    }
    Ok(Upstream {
        scheme,
        host: host.to_ascii_lowercase(),
        port,
        base_path: uri.path().trim_end_matches('/').to_owned(),
    })
}

/// Addresses as one number, in octal or with parts left out are read by some systems and not by
/// others (RFC 3986, section 7.4), so they are no way to name a server. No name ends with a number
/// (RFC 1123, section 2.1).
fn is_numeric_host(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next();
    let last = last.unwrap_or_default().to_ascii_lowercase();
    let hex = last.strip_prefix("0x");
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let number = !last.is_empty() && digits(&last)
        || hex.is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    number && host.parse::<IpAddr>().is_err()
}

/// A port with its colon.
fn read_port(written: &str) -> Result<u16, ValueError> {
    let number = written.strip_prefix(':').and_then(|port| port.parse().ok());
    number.filter(|port| *port != 0).ok_or_else(|| {
        ValueError::new(format!("`{written}` is not a port"))
            .with_hint("write a number from 1 to 65535")
    })
}

/// Text from a file as it may stand in a message: short, without control characters, without a
/// password.
fn sanitize(text: &str) -> String {
    let text = text.rsplit_once('@').map_or(text, |(_, after)| after);
    let short: String = text.chars().take(80).collect();
    short.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
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
    fn what_is_no_upstream_is_told() {
        let cases = [
            ("localhost:9000", "http://localhost:9000"),
            ("api.example.com", "https://api.example.com"),
            ("wss://a", "https://"),
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
            let told = format!("{problem} {}", problem.hint.as_deref().unwrap_or_default());
            assert!(told.contains(expected), "{text}: {told}");
            assert!(!told.contains("pass@"), "{told}");
        }
    }

    #[test]
    fn the_base_path_stands_in_front() {
        let upstream: Upstream = "http://a/v1/".parse().unwrap();
        assert_eq!(upstream.request_target("/x?y=1"), "/v1/x?y=1");
        assert_eq!(upstream.request_target("/"), "/v1/");
        assert_eq!(upstream.request_target("*"), "*");
    }
}
