//! `check` reports certificate files that cannot be used.

use std::sync::Arc;

use ouli_proxy::gateway::check;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::own_ca;
use crate::support::folder::Folder;
use crate::support::gateway;

#[test]
fn check_reports_certificate_files_that_cannot_be_used() {
    let folder = Arc::new(Folder::new());
    let path = |name: &str| folder.path().join(name);
    let (good, old) = (
        own_ca("127.0.0.1", |_| {}),
        own_ca("127.0.0.1", |params| {
            params.not_after = rcgen::date_time_ymd(2020, 1, 1)
        }),
    );
    good.write(&folder, "good");
    old.write(&folder, "old");
    let der = CertificateDer::from_pem_slice(good.cert.as_bytes()).unwrap();
    std::fs::write(path("der.pem"), &*der).unwrap();
    let label =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    std::fs::write(path("locked.key"), label).unwrap();
    let faults = |settings: &str| {
        let builder = gateway::over(&folder, "passthrough").upstream("https://127.0.0.1:1");
        check(&builder.endpoint(settings).options()).join("\n")
    };
    let files = |cert: &str, key: &str| format!("{{ cert = \"{cert}\", key = \"{key}\" }}");
    let good_files = files("good.pem", "good.key");
    let valid = format!("tls = {good_files}\nupstream_client_certificate = {good_files}");
    assert_eq!(faults(&format!("{valid}\nupstream_ca = \"good.pem\"")), "");
    for (settings, expected) in [
        (
            format!("tls = {}", files("old.pem", "old.key")),
            "old.pem expired ",
        ),
        (
            format!("tls = {}", files("good.pem", "old.key")),
            "good.pem cannot be used with the key",
        ),
        (
            format!("tls = {}", files("der.pem", "good.key")),
            "openssl x509 -inform der",
        ),
        (
            format!(
                "upstream_client_certificate = {}",
                files("good.pem", "locked.key")
            ),
            "remove the password with `openssl pkey`",
        ),
        ("upstream_ca = \"none.pem\"".to_owned(), "none.pem"),
        (
            format!("tls = {good_files}\nclient_ca = \"good.key\""),
            "good.key holds no certificate",
        ),
        ("client_ca = \"good.pem\"".to_owned(), "without TLS"),
        (
            format!("tls = {good_files}\nclient_auth = \"optional\""),
            "add `client_ca",
        ),
    ] {
        let reported = faults(&settings);
        assert!(reported.contains(expected), "{settings}: {reported}");
        assert!(!reported.contains("PRIVATE KEY"), "{reported}");
    }
}
