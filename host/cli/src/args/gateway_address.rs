//! The address of a running gateway, as `plugin list --address` takes it.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use ouli_config::{Scheme, Upstream};

/// The address of a running gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GatewayAddress {
    server: Upstream,
    /// The address has a scheme, which says whether the listener speaks TLS.
    has_scheme: bool,
}

impl GatewayAddress {
    /// The address of a listener.
    pub(crate) fn of_listener(listen: SocketAddr, is_secure: bool) -> Self {
        Self {
            server: Upstream {
                scheme: match is_secure {
                    true => Scheme::Https,
                    false => Scheme::Http,
                },
                host: listen.ip().to_string(),
                port: listen.port(),
                base_path: String::new(),
            },
            has_scheme: is_secure,
        }
    }

    /// The address with the scheme of the configured listener, if it has none itself.
    pub(crate) fn resolved(self, is_secure: impl FnOnce(SocketAddr) -> bool) -> Self {
        let ip = self.server.host.parse().ok();
        match ip.map(|ip| SocketAddr::new(ip, self.server.port)) {
            Some(listen) if !self.has_scheme => Self::of_listener(listen, is_secure(listen)),
            _ => self,
        }
    }

    pub(crate) fn server(&self) -> &Upstream {
        &self.server
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.server.scheme == Scheme::Https
    }

    /// The same address over TLS.
    pub(crate) fn secure(&self) -> Self {
        Self {
            server: Upstream {
                scheme: Scheme::Https,
                ..self.server.clone()
            },
            has_scheme: true,
        }
    }
}

impl FromStr for GatewayAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("expected HOST:PORT, http://HOST:PORT or https://HOST:PORT, not {text:?}");
        let has_scheme = text.contains("://");
        let url = match has_scheme {
            true => text.trim_end_matches('/').to_owned(),
            false => format!("http://{text}"),
        };
        let server: Upstream = url.parse().map_err(|_| wrong())?;
        let has_port = || {
            text.rsplit_once(':')
                .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
        };
        let is_plain = server.base_path.is_empty() && server.scheme != Scheme::H2c;
        match is_plain && (has_scheme || has_port()) {
            true => Ok(Self { server, has_scheme }),
            false => Err(wrong()),
        }
    }
}

impl fmt::Display for GatewayAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has_scheme {
            write!(out, "{}://", self.server.scheme.as_str())?;
        }
        out.write_str(&self.server.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        text.parse()
            .map(|address: GatewayAddress| address.to_string())
    }

    #[test]
    fn an_address_has_a_port_or_a_scheme() {
        for (text, shown) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::1]:8080", "[::1]:8080"),
            ("localhost:8080", "localhost:8080"),
            ("https://localhost:8443", "https://localhost:8443"),
            ("https://127.0.0.1:8443/", "https://127.0.0.1:8443"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(parsed(text).unwrap(), shown, "{text}");
        }
        for text in [
            "",
            "127.0.0.1",
            "::1",
            "h2c://a:1",
            "https://a/b",
            "ftp://a:1",
            "a:b",
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains("https://HOST:PORT"), "{error}");
        }
    }

    #[test]
    fn the_configuration_says_whether_a_listener_speaks_tls() {
        let address = |text: &str| text.parse::<GatewayAddress>().unwrap();
        assert!(address("127.0.0.1:1").resolved(|_| true).is_secure());
        assert!(!address("127.0.0.1:1").resolved(|_| false).is_secure());
        assert!(!address("http://127.0.0.1:1").resolved(|_| true).is_secure());
        assert_eq!(address("a:1").secure().to_string(), "https://a:1");
    }
}
