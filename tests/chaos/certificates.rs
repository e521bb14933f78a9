//! Upstreams with an untrusted certificate: 502 with the reason and the setting.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::folder::Folder;
use crate::support::{client, gateway, origin, spawn, tls, wait_for};

/// A server with a self-signed certificate for this name and validity, and the certificate in PEM.
fn server(name: &str, years: (i32, i32)) -> (Arc<ServerConfig>, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let certificate = parameters.self_signed(&key).unwrap();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_no_client_auth();
    let config = builder.with_single_cert(vec![certificate.der().clone()], private);
    (Arc::new(config.unwrap()), certificate.pem())
}

/// The error text that a client gets if the gateway trusts `ca`.
fn told(config: Arc<ServerConfig>, ca: Option<&str>) -> String {
    let origin = origin::new().tls(config).start();
    let folder = Arc::new(Folder::new());
    let mut gateway = gateway::over(&folder, "record").upstream(&origin.url());
    if let Some(pem) = ca {
        std::fs::write(folder.path().join("ca.pem"), pem).unwrap();
        gateway = gateway.endpoint("upstream_ca = \"ca.pem\"");
    }
    let gateway = gateway.endpoint("record_failures = true").start();
    let answer = client::http1(&gateway).get("/");
    assert_eq!(
        (answer.status, answer.header("ouli-error")),
        (502, "upstream")
    );
    assert!(origin.seen().is_empty());
    let text = answer.text().to_owned();
    gateway.stop();
    let failure = folder.exchanges("default")[0]["failure"].clone();
    assert_eq!(
        (&failure["phase"], &failure["what"]),
        (&"tls".into(), &"untrusted".into())
    );
    text
}

#[test]
fn an_untrusted_certificate_is_reported_with_the_reason() {
    let stranger = tls::identity().server(&["h2", "http/1.1"]);
    let text = told(stranger, None);
    assert!(
        text.contains("UnknownIssuer") && text.contains("upstream_ca"),
        "{text}"
    );
    let (other, pem) = server("other.test", (2020, 2090));
    let text = told(other, Some(&pem));
    assert!(
        text.contains("not valid for name") && text.contains("it is for other.test"),
        "{text}"
    );
    assert!(!text.contains("upstream_ca"), "{text}");
    let (old, pem) = server("127.0.0.1", (2020, 2021));
    let text = told(old, Some(&pem));
    assert!(text.contains("it expired "), "{text}");
    assert!(!text.contains("upstream_ca"), "{text}");
}

#[test]
fn an_upstream_without_tls_is_reported() {
    let origin = super::peers::origin(&[super::peers::Do::Send(b"HTTP/1.1 400 no\r\n\r\n")]);
    let url = format!("https://{}", origin.address);
    let gateway = gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(&url)
        .start();
    let answer = client::http1(&gateway).get("/");
    assert_eq!(
        (answer.status, answer.header("ouli-error")),
        (502, "upstream")
    );
}

#[test]
fn a_body_without_length_is_complete_only_after_tls_close_notify() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let recorded = |closes: bool| {
        let identity = tls::identity();
        let acceptor = tokio_rustls::TlsAcceptor::from(identity.server(&["http/1.1"]));
        let address = wait_for("the origin", async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            spawn(async move {
                let (stream, _) = listener.accept().await.unwrap();
                let mut stream = acceptor.accept(stream).await.unwrap();
                while stream.read_u8().await.is_ok_and(|byte| byte != b'\n') {}
                let answer = b"HTTP/1.1 200 OK\r\n\r\nall of it, or is it";
                stream.write_all(answer).await.unwrap();
                stream.flush().await.unwrap();
                if closes {
                    stream.shutdown().await.unwrap();
                }
            });
            address
        });
        let folder = Arc::new(Folder::new());
        std::fs::write(folder.path().join("ca.pem"), &identity.pem).unwrap();
        let gateway = gateway::over(&folder, "record").upstream(&format!("https://{address}"));
        let gateway = gateway.endpoint("upstream_ca = \"ca.pem\"").start();
        let answer = client::http1(&gateway).ask("GET", "/").try_send();
        (answer.is_ok(), gateway.finish().recorded)
    };
    assert_eq!(recorded(true), (true, 1));
    assert_eq!(recorded(false), (false, 0));
}
