//! Certificates: that of the local CA, and those that it issues for listeners.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::CertificateDer;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Client clocks may be slow.
const CLOCK_SKEW: Duration = DAY;

const CA_VALIDITY: Duration = Duration::from_secs(3650 * 24 * 3600);

/// With the skew this is less than the 398 days that clients accept.
const LEAF_VALIDITY: Duration = Duration::from_secs(365 * 24 * 3600);

/// The issuer name of every certificate. It never changes, because CAs on disk have it.
const CA_COMMON_NAME: &str = "ouli-gateway local CA";

/// A new CA as PEM, certificate and key. It may issue server certificates, not CA certificates
/// (RFC 5280, section 4.2.1.9).
pub(super) fn new_ca(now: SystemTime) -> Result<String, rcgen::Error> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = ca_params();
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = (now + CA_VALIDITY).into();
    let certificate = params.self_signed(&key)?;
    Ok(format!("{}{}", certificate.pem(), key.serialize_pem()))
}

/// An issuer with the key of a CA that [`new_ca`] created.
pub(super) fn issuer(key: KeyPair) -> Issuer<'static, KeyPair> {
    Issuer::new(ca_params(), key)
}

/// A new key and certificate for `names`, which are DNS names or IP addresses.
pub(super) fn issue_leaf(
    names: &[&str],
    issuer: &Issuer<'_, KeyPair>,
    now: SystemTime,
) -> Result<(Certificate, KeyPair), rcgen::Error> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "ouli-gateway");
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = (now + LEAF_VALIDITY).into();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    Ok((params.signed_by(&key, issuer)?, key))
}

/// A certificate as PEM (RFC 7468, section 5).
pub(super) fn pem(certificate: &CertificateDer<'_>) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let encoded = STANDARD.encode(certificate);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = next;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, CA_COMMON_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}
