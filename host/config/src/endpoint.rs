//! Endpoints: where the gateway listens, whom it asks, and what it does with a request.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::choice::Mode;
use crate::config_error::ValueError;
use crate::table_reader::{Section, choice, expected, flag, text};
use crate::upstream::Upstream;
use crate::value_tree::{Node, Value};

/// The keys of an endpoint.
pub(super) const KEYS: &[&str] = &[
    "name",
    "listen",
    "upstream",
    "tls",
    "session",
    "mode",
    "upstream_ca",
    "preserve_host",
    "record_failures",
];

const DEFAULT_NAME: &str = "default";
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// A listener and whom it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name in reports, logs and keys; no other endpoint has it.
    pub name: String,
    /// The address to bind. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whom to ask. Present in every mode that needs one.
    pub upstream: Option<Upstream>,
    /// How clients connect.
    pub tls: Tls,
    /// What is done with a request.
    pub mode: Mode,
    /// The session of a request that names none.
    pub session: String,
    /// A PEM file of certificates that are trusted beside those of the system when the upstream is
    /// asked.
    pub upstream_ca: Option<PathBuf>,
    /// The upstream gets the client's `host` instead of its own name.
    pub preserve_host: bool,
    /// Exchanges that fail are recorded too, as failed ones.
    pub record_failures: bool,
}

/// How clients connect to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Without TLS.
    Off,
    /// With certificates of the local CA.
    SelfSigned,
    /// With a certificate of the user's.
    Files {
        /// PEM file: the certificate, then those between it and its root.
        cert: PathBuf,
        /// PEM file: the private key.
        key: PathBuf,
    },
}

/// What an endpoint takes from the rest of the file.
pub(super) struct Defaults<'a> {
    /// The mode of all endpoints, where one was written.
    pub(super) mode: Option<Mode>,
    /// The session of all endpoints.
    pub(super) session: &'a str,
    /// What is done with exchanges that fail.
    pub(super) record_failures: bool,
    /// There is no other endpoint, so that name and address need not be written.
    pub(super) is_only: bool,
}

impl Endpoint {
    /// The endpoint of a configuration that has none.
    pub(super) fn default_endpoint(mode: Mode, session: &str, record_failures: bool) -> Self {
        Self {
            name: DEFAULT_NAME.to_owned(),
            listen: DEFAULT_LISTEN,
            upstream: None,
            tls: Tls::Off,
            mode,
            session: session.to_owned(),
            upstream_ca: None,
            preserve_host: false,
            record_failures,
        }
    }

    /// Reads one `[[endpoint]]`. None where its name or address is wrong or missing: the fault is
    /// collected.
    pub(super) fn read(mut section: Section<'_>, defaults: &Defaults<'_>) -> Option<Self> {
        let name = read_or_default(
            &mut section,
            "name",
            defaults,
            DEFAULT_NAME.to_owned(),
            name,
        );
        let listen = read_or_default(&mut section, "listen", defaults, DEFAULT_LISTEN, listen);
        let has_upstream = section.has("upstream");
        let upstream = section.read("upstream", |node| text(node)?.parse::<Upstream>());
        let mode = section.read("mode", choice).or(defaults.mode);
        // Without a word about it, a gateway that can ask records what it does not know.
        let mode = mode.unwrap_or(if has_upstream {
            Mode::Auto
        } else {
            Mode::Replay
        });
        if mode.needs_upstream() && !has_upstream {
            let problem = ValueError::new(format!("mode {mode} needs an upstream"));
            let hint =
                "add `upstream = \"https://api.example.com\"` here, or give `--upstream URL`";
            section.add_missing("upstream", problem.with_hint(hint));
        }
        let endpoint = Self {
            tls: tls(&mut section),
            session: section
                .read("session", session)
                .unwrap_or_else(|| defaults.session.to_owned()),
            upstream_ca: section.path("upstream_ca"),
            preserve_host: section.read("preserve_host", flag).unwrap_or(false),
            record_failures: section
                .read("record_failures", flag)
                .unwrap_or(defaults.record_failures),
            name: name.clone().unwrap_or_default(),
            listen: listen.unwrap_or(DEFAULT_LISTEN),
            upstream,
            mode,
        };
        section.reject_unknown_keys();
        name.and(listen).map(|_| endpoint)
    }
}

/// The name of a session, from which that of its cassette is made: folders are allowed.
pub(super) fn session(node: &Node) -> Result<String, ValueError> {
    let name = text(node)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_. /".contains(c);
    let hidden = |part: &str| part.is_empty() || part.starts_with('.');
    // Such a folder has the stored bodies of another cassette.
    let taken = |folder: &str| folder.split('/').any(|part| part.ends_with(".bodies"));
    let taken = name
        .rsplit_once('/')
        .is_some_and(|(folder, _)| taken(folder));
    if name.len() <= 200 && name.chars().all(plain) && !name.split('/').any(hidden) && !taken {
        return Ok(name);
    }
    let problem = ValueError::new(format!("`{}` is not a session", name.escape_debug()));
    Err(problem.with_hint(
        "write 1 to 200 letters, digits, `-`, `_`, `.` or spaces, with `/` between folders, \
         of which none begins with `.` or ends with `.bodies`",
    ))
}

/// The name of an endpoint: it stands in keys and log lines.
fn name(node: &Node) -> Result<String, ValueError> {
    let name = text(node)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits = (1..=128).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.');
    if fits {
        return Ok(name);
    }
    let problem = ValueError::new(format!("`{}` is not a name", name.escape_debug()));
    Err(problem.with_hint("write 1 to 128 letters, digits, `-`, `_` or `.`, with no `.` in front"))
}

/// The value of a key that only an endpoint without others may leave out.
fn read_or_default<T>(
    section: &mut Section<'_>,
    key: &'static str,
    defaults: &Defaults<'_>,
    default: T,
    parse: impl FnOnce(&Node) -> Result<T, ValueError>,
) -> Option<T> {
    let written = section.has(key);
    let value = section.read(key, parse);
    if written {
        return value;
    }
    if defaults.is_only {
        return Some(default);
    }
    let problem = ValueError::new("missing: there are several endpoints");
    section.add_missing(
        key,
        problem.with_hint(format!("give each of them its own `{key}`")),
    );
    None
}

/// An address to bind.
fn listen(node: &Node) -> Result<SocketAddr, ValueError> {
    let written = text(node)?;
    let literal = match written.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => written.clone(),
    };
    literal.parse().map_err(|_| {
        ValueError::new(format!("`{written}` is not an address to listen on"))
            .with_hint("write `127.0.0.1:8080`, or `0.0.0.0:8080` for every interface")
    })
}

fn tls(section: &mut Section<'_>) -> Tls {
    if section.holds_table("tls") {
        return tls_files(section);
    }
    section.read("tls", tls_word).unwrap_or(Tls::Off)
}

fn tls_files(section: &mut Section<'_>) -> Tls {
    let Some(mut files) = section.section("tls") else {
        return Tls::Off;
    };
    for key in ["cert", "key"] {
        if !files.has(key) {
            files.add_missing(
                key,
                ValueError::new("missing").with_hint("write the path of a PEM file"),
            );
        }
    }
    let (cert, key) = (files.path("cert"), files.path("key"));
    files.reject_unknown_keys();
    match (cert, key) {
        (Some(cert), Some(key)) => Tls::Files { cert, key },
        (None, _) | (_, None) => Tls::Off,
    }
}

fn tls_word(node: &Node) -> Result<Tls, ValueError> {
    const HINT: &str = "write \"self-signed\", \"off\" or { cert = \"FILE\", key = \"FILE\" }";
    let Value::String(word) = &node.value else {
        return Err(expected("a string or a table", node).with_hint(HINT));
    };
    match word.as_str() {
        "self-signed" => Ok(Tls::SelfSigned),
        "off" => Ok(Tls::Off),
        other => Err(ValueError::new(format!("`{other}` is not known here")).with_hint(HINT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Node {
        Node::without_line(Value::String(text.to_owned()))
    }

    #[test]
    fn addresses_are_numbers_or_localhost() {
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
            let read = listen(&of(text)).ok().map(|address| address.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn names_are_plain() {
        for text in ["a", "checkout-v2", "A.b_c", &"x".repeat(128)] {
            assert!(name(&of(text)).is_ok(), "{text}");
        }
        for text in ["", ".a", "..", "a/b", "a b", "ä", "a\n", &"x".repeat(129)] {
            assert!(name(&of(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn sessions_may_have_folders_but_lead_nowhere() {
        for text in ["a", "suite/login test", "A.b_c", &"x".repeat(200)] {
            assert!(session(&of(text)).is_ok(), "{text}");
        }
        for text in [
            "",
            "/a",
            "a/",
            "a//b",
            "a/../b",
            "../a",
            "a.bodies/b",
            ".a",
            "ä",
            &"x".repeat(201),
        ] {
            assert!(session(&of(text)).is_err(), "{text}");
        }
    }
}
