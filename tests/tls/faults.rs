//! Certificates that no verifier accepts, and CAs that were made again.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::cli::ANY;
use crate::support::binary::program;
use crate::support::folder::Folder;

use super::{authority, issue, own_ca, told};

#[test]
fn a_ca_that_was_made_again_is_told_apart() {
    let issued = issue(&authority("ca"), "127.0.0.1");
    let (status, text) = told(issued.server(), Some(&authority("ca").pem()));
    assert_eq!(status, 502);
    assert!(
        text.contains("CA was made again: set `upstream_ca`"),
        "{text}"
    );
}

#[test]
fn reversed_dates_are_told_apart_from_an_expired_certificate() {
    let reversed = own_ca("127.0.0.1", |params| {
        params.not_before = rcgen::date_time_ymd(2030, 1, 1);
        params.not_after = rcgen::date_time_ymd(2029, 1, 1);
    });
    let (status, text) = told(reversed.server(), Some(&reversed.cert));
    assert_eq!(status, 502);
    assert!(text.contains("ends before it begins"), "{text}");
}

/// A certificate of X.509 version 1, as `openssl x509 -req -signkey` makes it without `-extfile`.
const VERSION_1: &str = "-----BEGIN CERTIFICATE-----
MIIBIzCBywIUaSyYp+0XQYhT43EmhsCl+n1Z+lwwCgYIKoZIzj0EAwIwFDESMBAG
A1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEzMDAwMDQyMloYDzIxMjYxMTA2MDAwNDIy
WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AATmhMuiTbRSuBwTd/LvOKHuzrZ7VPhdqeHXvxkixFGW1oAi35N0pc8mlgv3IdUe
OBY1PUPk4iYLEnK8SEilEBNcMAoGCCqGSM49BAMCA0cAMEQCIB+GsghJfpTlvu9z
u5YLn+GhvUq5D1Xj5/lEPAxDcUreAiA6uh7BliM6xPraSrHbDYkA1Ww6Xnp5eLQA
oF9BfsUGkA==
-----END CERTIFICATE-----
";

/// A server with this certificate, which no library accepts for one.
fn server_with(certificate: &str) -> Arc<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let key = provider.key_provider.load_private_key(key).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let resolver = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    Arc::new(config)
}

#[test]
fn a_certificate_of_version_1_is_told_apart() {
    for trusted in [None, Some(VERSION_1)] {
        let (status, text) = told(server_with(VERSION_1), trusted);
        assert_eq!(status, 502);
        assert!(
            text.contains("X.509 version 1") && text.contains("-extfile"),
            "{text}"
        );
        assert!(!text.contains("upstream_ca"), "{text}");
    }
}

#[test]
fn without_a_home_folder_no_key_is_written() {
    let folder = Folder::new();
    let homeless = ["env", "-u", "HOME", "-u", "XDG_DATA_HOME"];
    let setting = [
        "replay",
        "--listen",
        ANY,
        "--set",
        "endpoint.tls=self-signed",
    ];
    for arguments in [&setting[..], &["ca"]] {
        let ended = program(&folder, arguments).under(&homeless).run();
        assert_eq!(ended.status, Some(2), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("set HOME, or XDG_DATA_HOME"),
            "{}",
            ended.stderr
        );
    }
    let relative = program(&folder, &["ca"]).under(&["env", "-u", "XDG_DATA_HOME", "HOME=."]);
    assert_eq!(relative.run().status, Some(2));
    let files = folder.files();
    let keys = files.iter().filter(|(path, _)| path.ends_with("ca.key"));
    assert_eq!(keys.count(), 0, "{files:?}");
}
