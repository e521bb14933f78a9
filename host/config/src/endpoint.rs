//! One endpoint: a listener, its upstream, and its mode.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::choice::{ErrorFormat, Mode, OnExhausted};
use crate::config_error::ValueError;
use crate::endpoint_tls::{self, CertificateFiles, ClientAuth, Tls};
use crate::table_reader::Section;
use crate::upstream::Upstream;
use crate::value_parsers::{choice, flag, text};
use crate::value_tree::Node;

/// The keys of an endpoint.
pub(super) const KEYS: &[&str] = &[
    "name",
    "listen",
    "upstream",
    "tls",
    "client_ca",
    "client_auth",
    "session",
    "mode",
    "upstream_ca",
    "upstream_client_certificate",
    "preserve_host",
    "record_failures",
    "error_format",
    "on_exhausted",
];

const DEFAULT_NAME: &str = "default";
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// A listener with its upstream and mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The unique name in reports, logs and keys.
    pub name: String,
    /// The address to bind. Port 0 takes a free port.
    pub listen: SocketAddr,
    /// The upstream URL. Present in every mode that needs one.
    pub upstream: Option<Upstream>,
    /// TLS on the listener.
    pub tls: Tls,
    /// Which certificates clients must have; none are asked for without it.
    pub client_auth: Option<ClientAuth>,
    /// What happens to a request.
    pub mode: Mode,
    /// The session of requests that do not name one.
    pub session: String,
    /// A PEM file of certificates that are trusted for the upstream, in addition to those of the
    /// system.
    pub upstream_ca: Option<PathBuf>,
    /// The certificate for upstreams that ask for one.
    pub upstream_client_certificate: Option<CertificateFiles>,
    /// The upstream gets the `host` of the client instead of its own name.
    pub preserve_host: bool,
    /// Failed exchanges are recorded too, as failures.
    pub record_failures: bool,
    /// The form of the gateway's own error responses.
    pub error_format: ErrorFormat,
    /// The response to a repeated request when its recorded responses are used up; `None` if that
    /// is left to the mode.
    pub on_exhausted: Option<OnExhausted>,
}

/// Top-level values that are defaults of endpoints.
pub(super) struct Defaults<'a> {
    /// The mode, if set.
    pub(super) mode: Option<Mode>,
    /// The session.
    pub(super) session: &'a str,
    /// Whether failed exchanges are recorded.
    pub(super) record_failures: bool,
    /// The form of the gateway's own error responses.
    pub(super) error_format: ErrorFormat,
    /// The response when the recorded ones are used up, if set.
    pub(super) on_exhausted: Option<OnExhausted>,
    /// There is no other endpoint, so name and address are optional.
    pub(super) is_only: bool,
}

impl Endpoint {
    /// The endpoint of a configuration without `[[endpoint]]`.
    pub(super) fn default_endpoint(mode: Mode, defaults: &Defaults<'_>) -> Self {
        Self {
            name: DEFAULT_NAME.to_owned(),
            listen: DEFAULT_LISTEN,
            upstream: None,
            tls: Tls::Off,
            client_auth: None,
            mode,
            session: defaults.session.to_owned(),
            upstream_ca: None,
            upstream_client_certificate: None,
            preserve_host: false,
            record_failures: defaults.record_failures,
            error_format: defaults.error_format,
            on_exhausted: defaults.on_exhausted,
        }
    }

    /// Reads one `[[endpoint]]`. None if its name or address is invalid or missing, which is an
    /// error.
    pub(super) fn read(mut section: Section<'_>, defaults: &Defaults<'_>) -> Option<Self> {
        let default_name = DEFAULT_NAME.to_owned();
        let name = read_or_default(&mut section, "name", defaults, default_name, endpoint_name);
        let listen = read_or_default(
            &mut section,
            "listen",
            defaults,
            DEFAULT_LISTEN,
            listen_address,
        );
        let has_upstream = section.has("upstream");
        let upstream = section.read("upstream", |node| text(node)?.parse::<Upstream>());
        let mode = section.read("mode", choice).or(defaults.mode);
        // Without a mode, an endpoint with an upstream records what is not recorded yet.
        let mode = mode.unwrap_or(if has_upstream {
            Mode::Auto
        } else {
            Mode::Replay
        });
        if mode.needs_upstream() && !has_upstream {
            let problem = ValueError::new(format!("mode {mode} needs an upstream"));
            let hint = "add `upstream = \"https://api.example.com\"`, or pass `--upstream URL`";
            section.add_missing("upstream", problem.with_hint(hint));
        }
        let tls = endpoint_tls::listener(&mut section);
        let endpoint = Self {
            client_auth: endpoint_tls::client_auth(&mut section, &tls),
            tls,
            session: section
                .read("session", session_name)
                .unwrap_or_else(|| defaults.session.to_owned()),
            upstream_ca: section.path("upstream_ca"),
            upstream_client_certificate: endpoint_tls::upstream_certificate(
                &mut section,
                upstream.as_ref(),
            ),
            preserve_host: section.read("preserve_host", flag).unwrap_or(false),
            record_failures: section
                .read("record_failures", flag)
                .unwrap_or(defaults.record_failures),
            error_format: section
                .read("error_format", choice)
                .unwrap_or(defaults.error_format),
            on_exhausted: section
                .read("on_exhausted", choice)
                .or(defaults.on_exhausted),
            name: name.clone().unwrap_or_default(),
            listen: listen.unwrap_or(DEFAULT_LISTEN),
            upstream,
            mode,
        };
        section.reject_unknown_keys();
        name.and(listen).map(|_| endpoint)
    }
}

/// The name of a session. The path of its cassette is made from it.
pub(super) fn session_name(node: &Node) -> Result<String, ValueError> {
    let name = text(node)?;
    if (1..=1024).contains(&name.len()) && !name.contains(char::is_control) {
        return Ok(name);
    }
    let problem = ValueError::new(format!("invalid session name {name:?}"));
    Err(problem.with_hint("write 1 to 1024 bytes without control characters"))
}

/// The name of an endpoint. It is part of keys and log lines.
fn endpoint_name(node: &Node) -> Result<String, ValueError> {
    let name = text(node)?;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=128).contains(&name.len()) && name.chars().all(is_allowed) && !name.starts_with('.') {
        return Ok(name);
    }
    let problem = ValueError::new(format!("invalid endpoint name {name:?}"));
    Err(problem
        .with_hint("write 1 to 128 letters, digits, `-`, `_` or `.`, not beginning with `.`"))
}

/// The value of a key that is optional only if there is one endpoint.
fn read_or_default<T>(
    section: &mut Section<'_>,
    key: &'static str,
    defaults: &Defaults<'_>,
    default: T,
    parse: impl FnOnce(&Node) -> Result<T, ValueError>,
) -> Option<T> {
    if section.has(key) {
        return section.read(key, parse);
    }
    if defaults.is_only {
        return Some(default);
    }
    let hint = format!("with several endpoints, each needs its own `{key}`");
    section.add_missing(key, ValueError::new("missing").with_hint(hint));
    None
}

/// An address to bind.
fn listen_address(node: &Node) -> Result<SocketAddr, ValueError> {
    let written = text(node)?;
    let literal = match written.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => written.clone(),
    };
    literal.parse().map_err(|_| {
        ValueError::new(format!("{written:?} is not an IP address with a port"))
            .with_hint("write \"127.0.0.1:8080\", or \"0.0.0.0:8080\" for all interfaces")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value_tree::Value;

    fn string(text: &str) -> Node {
        Node::without_line(Value::String(text.to_owned()))
    }

    #[test]
    fn listen_addresses_are_ip_addresses_or_localhost() {
        let cases = [
            ("127.0.0.1:0", Some("127.0.0.1:0")),
            ("localhost:8080", Some("127.0.0.1:8080")),
            ("[::1]:8443", Some("[::1]:8443")),
            ("0.0.0.0:80", Some("0.0.0.0:80")),
            (":8080", None),
            ("8080", None),
            ("localhost", None),
            ("example.com:80", None),
            ("127.0.0.1:70000", None),
        ];
        for (text, expected) in cases {
            let read = listen_address(&string(text))
                .ok()
                .map(|address| address.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn rejects_names_with_special_characters() {
        for text in ["a", "checkout-v2", "A.b_c", &"x".repeat(128)] {
            assert!(endpoint_name(&string(text)).is_ok(), "{text}");
        }
        for text in ["", ".a", "..", "a/b", "a b", "ä", "a\n", &"x".repeat(129)] {
            assert!(endpoint_name(&string(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn session_names_are_texts_without_control_characters() {
        for text in [
            "a",
            "suite/login test",
            "../a.py::b[1]",
            "ä",
            &"x".repeat(1024),
        ] {
            assert!(session_name(&string(text)).is_ok(), "{text}");
        }
        for text in ["", "a\n", "a\0", &"x".repeat(1025)] {
            assert!(session_name(&string(text)).is_err(), "{text}");
        }
    }
}
