//! Certificates that no verifier accepts, and CAs that were made again.

use std::sync::Arc;

use ouli_proxy::gateway::check;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::{Pem, authority, issue, own_ca, told};
use crate::support::folder::Folder;
use crate::support::gateway;

/// The header and the whole of the first DER value.
fn first(der: &[u8]) -> (usize, usize) {
    match usize::from(der[1]) {
        length @ 0..0x80 => (2, 2 + length),
        form => {
            let header = 2 + (form & 0x7f);
            let length = der[2..header].iter();
            let length = length.fold(0, |sum, byte| (sum << 8) + usize::from(*byte));
            (header, header + length)
        }
    }
}

fn sequence(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[0x30, 0x82], &length[..], content].concat()
}

/// The certificate without the fields that version 1 does not have: its version and extensions.
fn version1(certificate: &CertificateDer<'_>) -> CertificateDer<'static> {
    let body = &certificate[first(certificate).0..];
    let (header, end) = first(body);
    let mut fields = &body[header..end];
    let mut kept = Vec::new();
    while !fields.is_empty() {
        let (field, rest) = fields.split_at(first(fields).1);
        if ![0xa0, 0xa3].contains(&field[0]) {
            kept.extend_from_slice(field);
        }
        fields = rest;
    }
    let certificate = [&sequence(&kept), &body[end..]].concat();
    sequence(&certificate).into()
}

/// A server with this certificate, which is not checked.
fn unchecked(certificate: CertificateDer<'static>, key: &str) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let key = ring::sign::any_supported_type(&key).unwrap();
    let identity = SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key));
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_no_client_auth();
    Arc::new(builder.with_cert_resolver(Arc::new(identity)))
}

fn made() -> (Pem, CertificateDer<'static>) {
    let own = own_ca("127.0.0.1", |_| {});
    let certificate = CertificateDer::from_pem_slice(own.cert.as_bytes()).unwrap();
    (own, version1(&certificate))
}

#[test]
fn an_upstream_with_a_certificate_of_version_1_is_told_how_to_issue_another() {
    let (own, certificate) = made();
    let (status, text) = told(unchecked(certificate, &own.key), Some(&own.cert));
    assert_eq!(status, 502);
    assert!(
        text.contains("X.509 version 1") && text.contains("-extfile"),
        "{text}"
    );
    assert!(!text.contains("OtherError"), "{text}");
}

#[test]
fn a_certificate_file_of_version_1_is_told_apart_from_a_wrong_key() {
    let (own, certificate) = made();
    let folder = Arc::new(Folder::new());
    own.write(&folder, "own");
    let pem = pem_of(&certificate);
    std::fs::write(folder.path().join("own.pem"), pem).unwrap();
    let files = "{ cert = \"own.pem\", key = \"own.key\" }";
    for setting in ["tls", "upstream_client_certificate"] {
        let builder = gateway::over(&folder, "passthrough").upstream("https://127.0.0.1:1");
        let faults = check(&builder.endpoint(&format!("{setting} = {files}")).options());
        let faults = faults.join("\n");
        assert!(faults.contains("X.509 version 1"), "{faults}");
        assert!(!faults.contains("the one of this key"), "{faults}");
    }
}

fn pem_of(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine as _;

    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

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
