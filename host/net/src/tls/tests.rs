//! In-memory handshakes between the listener's and the upstream client's settings.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use ouli_config::CertificateFiles;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

use super::config::client_config_with_trusted;
use super::trust::Trusted;
use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn authority(&self) -> Arc<CertificateAuthority> {
        Arc::new(CertificateAuthority::open_or_create(&self.0.path().join("ca")).unwrap())
    }

    /// A certificate for `name` with its key, as files.
    fn files(&self, name: &str) -> (PathBuf, PathBuf) {
        let (cert_pem, key_pem) = self.issue(name);
        let (cert, key) = (
            self.path(&format!("{name}.crt")),
            self.path(&format!("{name}.key")),
        );
        fs::write(&cert, cert_pem).unwrap();
        fs::write(&key, key_pem).unwrap();
        (cert, key)
    }

    fn issue(&self, name: &str) -> (String, String) {
        self.authority();
        let key = pem_files::private_key(&self.path("ca/ca.key")).unwrap();
        let issuer = certificate::issuer(rcgen::KeyPair::try_from(&key).unwrap());
        let now = std::time::SystemTime::now();
        let (certificate, key) = certificate::issue_leaf(&[name], &issuer, now).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn local(authority: &Arc<CertificateAuthority>) -> Arc<ServerConfig> {
    let source = CertificateSource::LocalCa {
        authority: Arc::clone(authority),
        cache_size: 16,
    };
    server_config(&source, None).unwrap()
}

/// A handshake of a client that connects to `name`. Returns the ALPN protocol.
fn handshake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Result<Vec<u8>, rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name)?;
    let mut server = ServerConnection::new(Arc::clone(server))?;
    for _ in 0..8 {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        while !bytes.is_empty() {
            let read = server.read_tls(&mut bytes.as_slice()).unwrap();
            bytes.drain(..read);
            server.process_new_packets()?;
        }
        server.write_tls(&mut bytes).unwrap();
        while !bytes.is_empty() {
            let read = client.read_tls(&mut bytes.as_slice()).unwrap();
            bytes.drain(..read);
            client.process_new_packets()?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok(client.alpn_protocol().unwrap_or_default().to_vec())
}

#[test]
fn the_local_ca_has_a_certificate_for_every_name() {
    let folder = Folder::new();
    let authority = folder.authority();
    let server = local(&authority);
    let client = client_config(Some(&authority.certificate_path()), None).unwrap();
    for name in ["localhost", "127.0.0.1", "::1", "api.example.com"] {
        assert_eq!(handshake(&server, &client, name).unwrap(), b"h2", "{name}");
    }
    assert!(handshake(&server, &client, "192.0.2.1").is_err());
}

#[test]
fn negotiates_http1_with_a_client_without_http2() {
    let folder = Folder::new();
    let authority = folder.authority();
    let client = client_config(Some(&authority.certificate_path()), None).unwrap();
    let mut http1_only = ClientConfig::clone(&client);
    http1_only.alpn_protocols = vec![b"http/1.1".to_vec()];
    let protocol = handshake(&local(&authority), &Arc::new(http1_only), "localhost");
    assert_eq!(protocol.unwrap(), b"http/1.1");
}

#[test]
fn rejects_a_certificate_of_another_ca() {
    let (own, other) = (Folder::new(), Folder::new());
    let server = local(&own.authority());
    let client = client_config(Some(&other.authority().certificate_path()), None).unwrap();
    assert!(handshake(&server, &client, "localhost").is_err());
}

#[test]
fn uses_the_certificate_files_of_the_user() {
    let folder = Folder::new();
    let (cert, key) = folder.files("api.test");
    let identity = load_identity(&CertificateFiles { cert, key }).unwrap();
    let server = server_config(&CertificateSource::Identity(identity), None).unwrap();
    let client = client_config(Some(&folder.authority().certificate_path()), None).unwrap();
    assert_eq!(handshake(&server, &client, "api.test").unwrap(), b"h2");
    assert!(handshake(&server, &client, "other.test").is_err());
}

#[test]
fn errors_name_the_file_and_the_problem() {
    let folder = Folder::new();
    let (cert, key) = folder.files("a.test");
    let (_, other_key) = folder.files("b.test");
    let (missing, junk) = (folder.path("missing.pem"), folder.path("junk.pem"));
    fs::write(
        &junk,
        "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let cases = [
        (&cert, &other_key, "a.test.crt cannot be used with the key"),
        (&key, &key, "a.test.key holds no certificate"),
        (&cert, &cert, "a.test.crt holds no private key"),
        (&missing, &key, "cannot read"),
        (&junk, &key, "junk.pem is not valid PEM"),
    ];
    for (cert, key, expected) in cases {
        let (cert, key) = (cert.clone(), key.clone());
        let error = load_identity(&CertificateFiles { cert, key }).unwrap_err();
        assert!(
            error.to_string().contains(expected),
            "{error} does not contain {expected}"
        );
    }
    let error = client_config(Some(&key), None).unwrap_err().to_string();
    assert!(error.contains("a.test.key holds no certificate"), "{error}");
}

#[test]
fn rejects_an_empty_set_of_roots() {
    let error = client_config_with_trusted(Trusted::none(), None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("upstream_ca"), "{error}");
}
