//! Which certificates are trusted on both sides, and certificates that change.

/// `check` of certificate files.
mod checked;
/// Certificates that no verifier accepts.
mod faults;
/// TLS spoken to a port without it, and the reverse.
mod protocols;

use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::{origin, tls, until};

/// Certificates in PEM, with their keys.
struct Pem {
    cert: String,
    key: String,
}

impl Pem {
    /// Writes `NAME.pem` and `NAME.key`.
    fn write(&self, folder: &Folder, name: &str) {
        let path = |kind: &str| folder.path().join(format!("{name}.{kind}"));
        std::fs::write(path("pem"), &self.cert).unwrap();
        std::fs::write(path("key"), &self.key).unwrap();
    }

    fn server(&self) -> Arc<ServerConfig> {
        let identity = tls::Identity {
            pem: self.cert.clone(),
            key: self.key.clone(),
        };
        identity.server(&["http/1.1"])
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A certificate that signed itself as a CA, as `openssl req -x509` makes it.
fn own_ca(name: &str, edit: impl Fn(&mut CertificateParams)) -> Pem {
    let key = KeyPair::generate().unwrap();
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    edit(&mut params);
    Pem {
        cert: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issue(authority: &CertifiedIssuer<'static, KeyPair>, name: &str) -> Pem {
    let key = KeyPair::generate().unwrap();
    let mut params = params(name);
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    Pem {
        cert: params.signed_by(&key, authority).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

/// What a client is told by a gateway in front of this server.
fn told(server: Arc<ServerConfig>, ca: Option<&str>) -> (u16, String) {
    let origin = origin::new()
        .route("/hello", |_| origin::text("hello"))
        .tls(server)
        .start();
    let folder = Arc::new(Folder::new());
    let mut gateway = gateway::over(&folder, "passthrough").upstream(&origin.url());
    if let Some(ca) = ca {
        std::fs::write(folder.path().join("ca.pem"), ca).unwrap();
        gateway = gateway.endpoint("upstream_ca = \"ca.pem\"");
    }
    let gateway = gateway.start();
    let answer = client::http1(&gateway).get("/hello");
    (answer.status, answer.text().to_owned())
}

#[test]
fn a_certificate_that_signed_itself_as_a_ca_is_trusted_once_it_is_named() {
    let own = own_ca("127.0.0.1", |_| {});
    assert_eq!(told(own.server(), Some(&own.cert)).0, 200);
    let (status, text) = told(own.server(), None);
    assert_eq!(status, 502);
    assert!(text.contains("trust exactly this certificate"), "{text}");
    let other = own_ca("127.0.0.1", |_| {});
    assert_eq!(told(own.server(), Some(&other.cert)).0, 502);
}

#[test]
fn a_named_certificate_needs_a_valid_name_and_valid_dates() {
    let named = own_ca("other.test", |_| {});
    let (status, text) = told(named.server(), Some(&named.cert));
    assert_eq!(status, 502);
    assert!(text.contains("it is for other.test"), "{text}");
    let old = own_ca("127.0.0.1", |params| {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1)
    });
    let (status, text) = told(old.server(), Some(&old.cert));
    assert_eq!(status, 502);
    assert!(
        text.contains("it expired ") && text.contains("renew it"),
        "{text}"
    );
    assert!(!text.contains("upstream_ca"), "{text}");
    let early = own_ca("127.0.0.1", |params| {
        params.not_before = rcgen::date_time_ymd(2090, 1, 1)
    });
    let (status, text) = told(early.server(), Some(&early.cert));
    assert_eq!(status, 502);
    assert!(text.contains("it becomes valid in "), "{text}");
}

#[test]
fn a_certificate_of_an_unknown_issuer_is_trusted_once_it_is_named() {
    let issued = issue(&authority("ca"), "127.0.0.1");
    assert_eq!(told(issued.server(), Some(&issued.cert)).0, 200);
}

/// A server that requires certificates of this CA.
fn requiring(server: &Pem, ca: &str) -> Arc<ServerConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap());
    let certificate = CertificateDer::from_pem_slice(server.cert.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

#[test]
fn an_upstream_gets_the_configured_client_certificate() {
    let (server, clients) = (own_ca("127.0.0.1", |_| {}), authority("clients"));
    let origin = origin::new()
        .route("/hello", |_| origin::text("hello"))
        .tls(requiring(&server, &clients.pem()))
        .start();
    let folder = Arc::new(Folder::new());
    server.write(&folder, "server");
    issue(&clients, "me").write(&folder, "me");
    issue(&authority("others"), "me").write(&folder, "other");
    let ask = |certificate: &str| {
        let settings = format!("upstream_ca = \"server.pem\"\n{certificate}");
        let builder = gateway::over(&folder, "passthrough").upstream(&origin.url());
        let gateway = builder.endpoint(&settings).start();
        let answer = client::http1(&gateway).get("/hello");
        (answer.status, answer.text().to_owned())
    };
    let with = |name: &str| {
        let files = format!("cert = \"{name}.pem\", key = \"{name}.key\"");
        ask(&format!("upstream_client_certificate = {{ {files} }}"))
    };
    assert_eq!(with("me"), (200, "hello".to_owned()));
    let (status, text) = ask("");
    assert_eq!(status, 502);
    assert!(text.contains("set `upstream_client_certificate`"), "{text}");
    let (status, text) = with("other");
    assert_eq!(status, 502);
    assert!(
        text.contains("check `upstream_client_certificate`"),
        "{text}"
    );
}

/// A client that trusts `server.pem`, with this certificate.
fn client(gateway: &Running, identity: Option<&Pem>) -> Client {
    let trusting = tls::trusting(&gateway.folder.path().join("server.pem"), &["http/1.1"]);
    let Some(identity) = identity else {
        return client::http1(gateway).tls(trusting);
    };
    let mut roots = RootCertStore::empty();
    let server = CertificateDer::from_pem_file(gateway.folder.path().join("server.pem")).unwrap();
    roots.add(server).unwrap();
    let certificate = CertificateDer::from_pem_slice(identity.cert.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)
        .unwrap();
    client::http1(gateway).tls(Arc::new(config))
}

fn status(client: &Client) -> Option<u16> {
    let answer = client.ask("GET", "/hello").try_send().ok()?;
    Some(answer.status)
}

/// A gateway with TLS whose certificate is `server.pem`.
fn secured(folder: &Arc<Folder>, upstream: &str, settings: &str) -> Running {
    gateway::over(folder, "passthrough")
        .upstream(upstream)
        .endpoint(&format!(
            "tls = {{ cert = \"server.pem\", key = \"server.key\" }}\n{settings}"
        ))
        .start()
}

#[test]
fn a_listener_verifies_the_certificates_of_clients() {
    let origin = origin::simple();
    let (ca, others) = (authority("clients"), authority("others"));
    let folder = Arc::new(Folder::new());
    tls::identity().write(&folder, "server");
    let own = own_ca("me", |_| {});
    std::fs::write(
        folder.path().join("clients.pem"),
        format!("{}{}", ca.pem(), own.cert),
    )
    .unwrap();
    let (known, stranger) = (issue(&ca, "me"), issue(&others, "me"));
    for (mode, without) in [("required", None), ("optional", Some(200))] {
        let settings = format!("client_ca = \"clients.pem\"\nclient_auth = \"{mode}\"");
        let gateway = secured(&folder, &origin.url(), &settings);
        assert_eq!(status(&client(&gateway, Some(&known))), Some(200), "{mode}");
        assert_eq!(status(&client(&gateway, Some(&own))), Some(200), "{mode}");
        assert_eq!(status(&client(&gateway, Some(&stranger))), None, "{mode}");
        assert_eq!(status(&client(&gateway, None)), without, "{mode}");
    }
}

#[test]
fn changed_certificates_are_used_from_the_next_connection_on() {
    let origin = origin::simple();
    let folder = Arc::new(Folder::new());
    let first = tls::identity();
    first.write(&folder, "server");
    let gateway = secured(&folder, &origin.url(), "");
    let old = client(&gateway, None);
    assert_eq!(status(&old), Some(200));
    assert!(!gateway.reload(), "nothing changed");
    tls::identity().write(&folder, "server");
    assert!(gateway.reload());
    assert_eq!(status(&client(&gateway, None)), Some(200));
    assert_eq!(status(&old), None, "the old certificate is not served");
    let new = client(&gateway, None);
    std::fs::write(folder.path().join("server.key"), &first.key).unwrap();
    gateway.reload();
    assert_eq!(status(&new), Some(200), "the last good one stays in force");
    first.write(&folder, "server");
    assert!(gateway.reload());
    assert_eq!(status(&old), Some(200));
}

#[test]
fn certificate_files_are_watched() {
    let origin = origin::simple();
    let folder = Arc::new(Folder::new());
    tls::identity().write(&folder, "server");
    let files = "tls = { cert = \"server.pem\", key = \"server.key\" }";
    let builder = gateway::over(&folder, "passthrough").upstream(&origin.url());
    let gateway = builder.endpoint(files).watched().start();
    tls::identity().write(&folder, "server");
    let renewed = client(&gateway, None);
    until("the new certificate", || {
        status(&renewed).filter(|status| *status == 200)
    });
}

#[test]
fn a_changed_ca_of_the_upstream_is_used() {
    let server = own_ca("127.0.0.1", |_| {});
    let origin = origin::new()
        .route("/hello", |_| origin::text("hello"))
        .tls(server.server())
        .start();
    let folder = Arc::new(Folder::new());
    own_ca("127.0.0.1", |_| {}).write(&folder, "ca");
    let builder = gateway::over(&folder, "passthrough").upstream(&origin.url());
    let gateway = builder.endpoint("upstream_ca = \"ca.pem\"").start();
    assert_eq!(client::http1(&gateway).get("/hello").status, 502);
    server.write(&folder, "ca");
    assert!(gateway.reload());
    assert_eq!(client::http1(&gateway).get("/hello").status, 200);
}

impl tls::Identity {
    /// Writes `NAME.pem` and `NAME.key`.
    fn write(&self, folder: &Folder, name: &str) {
        let folder: &Path = folder.path();
        std::fs::write(folder.join(format!("{name}.pem")), &self.pem).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), &self.key).unwrap();
    }
}
