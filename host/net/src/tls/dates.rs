//! The validity of certificates in time.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, RootCertStore};

use super::config::Identity;
use super::crypto::provider;

/// Why peers reject a certificate today; none if its dates are valid.
pub fn date_problem(identity: &Identity) -> Option<String> {
    let certificate = identity.cert.first()?;
    match date_error(certificate)? {
        CertificateError::ExpiredContext { time, not_after } => {
            let ago = rounded(time, not_after);
            Some(format!(
                "expired {ago} ago: replace it, or correct the clock"
            ))
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            let wait = rounded(not_before, time);
            let remedy = "correct the clock, or replace it";
            Some(format!("becomes valid in {wait}: {remedy}"))
        }
        _ => None,
    }
}

/// The error of a verification as a server certificate. The dates are checked before all else that
/// can be wrong with it there.
fn date_error(certificate: &CertificateDer<'_>) -> Option<CertificateError> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).ok()?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
    let name = ServerName::try_from("localhost").ok()?;
    let verified =
        verifier
            .build()
            .ok()?
            .verify_server_cert(certificate, &[], &name, &[], UnixTime::now());
    match verified {
        Err(Error::InvalidCertificate(error)) => Some(error),
        Ok(_) | Err(_) => None,
    }
}

/// The time between two instants in its largest unit.
pub(crate) fn rounded(later: UnixTime, earlier: UnixTime) -> String {
    let seconds = later.as_secs().saturating_sub(earlier.as_secs());
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}
