//! TLS of an endpoint: the certificates of its listener, of its clients, and for its upstream.

use std::path::PathBuf;

use crate::choice::ClientAuthMode;
use crate::config_error::ValueError;
use crate::table_reader::Section;
use crate::upstream::{Scheme, Upstream};
use crate::value_parsers::{choice, expected, unknown_word};
use crate::value_tree::{Node, Value};

/// TLS on a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// No TLS.
    Off,
    /// Certificates issued by the local CA.
    SelfSigned,
    /// A certificate of the user.
    Files(CertificateFiles),
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM file: the certificate chain, leaf first.
    pub cert: PathBuf,
    /// PEM file: the private key.
    pub key: PathBuf,
}

/// Which certificates the clients of a listener must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuth {
    /// PEM file: the CA certificates that issue those of clients.
    pub ca: PathBuf,
    /// Whether they must have one.
    pub mode: ClientAuthMode,
}

/// Reads `tls`.
pub(super) fn listener(section: &mut Section<'_>) -> Tls {
    if section.holds_table("tls") {
        return certificate_files(section, "tls").map_or(Tls::Off, Tls::Files);
    }
    section.read("tls", tls_word).unwrap_or(Tls::Off)
}

/// Reads `client_ca` and `client_auth`.
pub(super) fn client_auth(section: &mut Section<'_>, tls: &Tls) -> Option<ClientAuth> {
    if section.has("client_auth") && !section.has("client_ca") {
        let problem = ValueError::new("`client_auth` needs the CA that issues the certificates");
        let hint = "add `client_ca = \"FILE\"` with the path of a PEM file";
        section.add_error("client_auth", problem.with_hint(hint));
    }
    if section.has("client_ca") && *tls == Tls::Off {
        let problem = ValueError::new("clients have no certificates without TLS");
        let hint = "add `tls = \"self-signed\"` or `tls = { cert = \"FILE\", key = \"FILE\" }`";
        section.add_error("client_ca", problem.with_hint(hint));
    }
    let mode = section.read("client_auth", choice);
    let ca = section.path("client_ca")?;
    Some(ClientAuth {
        ca,
        mode: mode.unwrap_or(ClientAuthMode::Required),
    })
}

/// Reads `upstream_client_certificate`.
pub(super) fn upstream_certificate(
    section: &mut Section<'_>,
    upstream: Option<&Upstream>,
) -> Option<CertificateFiles> {
    const KEY: &str = "upstream_client_certificate";
    if !section.has(KEY) {
        return None;
    }
    if let Some(upstream) = upstream
        && upstream.scheme != Scheme::Https
    {
        let scheme = upstream.scheme.as_str();
        let problem = ValueError::new(format!("an upstream of {scheme}:// asks for none"));
        section.add_error(KEY, problem.with_hint("write `https://`, or remove it"));
    }
    if section.holds_table(KEY) {
        return certificate_files(section, KEY);
    }
    section.read(KEY, |node| -> Result<(), ValueError> {
        Err(expected("a table", node).with_hint("write { cert = \"FILE\", key = \"FILE\" }"))
    });
    None
}

fn certificate_files(section: &mut Section<'_>, key: &'static str) -> Option<CertificateFiles> {
    let mut files = section.section(key)?;
    for key in ["cert", "key"] {
        if !files.has(key) {
            let hint = format!("write `{key} = \"FILE\"` with the path of a PEM file");
            files.add_missing(key, ValueError::new("missing").with_hint(hint));
        }
    }
    let (cert, key) = (files.path("cert"), files.path("key"));
    files.reject_unknown_keys();
    Some(CertificateFiles {
        cert: cert?,
        key: key?,
    })
}

fn tls_word(node: &Node) -> Result<Tls, ValueError> {
    const ALLOWED: &str = "\"self-signed\", \"off\", { cert = \"FILE\", key = \"FILE\" }";
    let Value::String(word) = &node.value else {
        return Err(expected("a string or a table", node).with_hint(format!("allowed: {ALLOWED}")));
    };
    match word.as_str() {
        "self-signed" => Ok(Tls::SelfSigned),
        "off" => Ok(Tls::Off),
        other => Err(unknown_word(other, &["self-signed", "off"], ALLOWED)),
    }
}
