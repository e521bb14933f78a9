//! What a user can do about a failed connection to an upstream.

use std::error::Error;

use rustls::{AlertDescription, CertificateError};

use super::tls_start::NotTls;
use crate::tls;

/// What to do about one of the causes of an error; none where the cause tells it.
pub(super) fn remedy(cause: &(dyn Error + 'static)) -> Option<String> {
    if cause.is::<NotTls>() {
        let text = "it does not answer in TLS; if it speaks plain HTTP, write `http://` (or \
                    `h2c://`) in `upstream`";
        return Some(text.to_owned());
    }
    match cause.downcast_ref()? {
        rustls::Error::InvalidCertificate(error) => of_certificate(error),
        rustls::Error::AlertReceived(alert) => of_alert(*alert).map(str::to_owned),
        error => of_protocol(error).map(str::to_owned),
    }
}

/// What to do if both sides cannot agree, or if the other side does not follow the protocol.
fn of_protocol(error: &rustls::Error) -> Option<&'static str> {
    use rustls::Error as E;

    match error {
        E::PeerIncompatible(_) => Some(
            "it must support TLS 1.2 or 1.3 with one of the common cipher suites and curves (ECDHE \
             with AES-GCM or ChaCha20)",
        ),
        E::NoCertificatesPresented => Some("it has no certificate: configure one there"),
        E::NoApplicationProtocol => Some("it must speak HTTP/2 or HTTP/1.1"),
        E::UnsupportedNameType => Some("write a DNS name or an IP address in `upstream`"),
        E::FailedToGetCurrentTime => Some("correct the clock of this machine"),
        E::InappropriateMessage { .. }
        | E::InappropriateHandshakeMessage { .. }
        | E::InvalidMessage(_)
        | E::DecryptError
        | E::PeerMisbehaved(_)
        | E::PeerSentOversizedRecord => Some(
            "it violates TLS: check that host and port in `upstream` are those of the server, and \
             that nothing between changes the data",
        ),
        _ => None,
    }
}

fn of_certificate(error: &CertificateError) -> Option<String> {
    use CertificateError as E;

    match error {
        E::UnknownIssuer => Some(
            "no trusted CA issued it; to trust it, set `upstream_ca` of the endpoint to the PEM \
             file of its CA, or of the certificate itself"
                .to_owned(),
        ),
        E::Other(other) if tls::is_ca_as_end_entity(other) => Some(
            "it signed itself as a CA; to trust exactly this certificate, set `upstream_ca` of \
             the endpoint to its PEM file"
                .to_owned(),
        ),
        E::ExpiredContext { time, not_after } => Some(format!(
            "it expired {} ago: renew it on the upstream, or correct the clock of this machine",
            tls::rounded(*time, *not_after)
        )),
        E::NotValidYetContext { time, not_before } => Some(format!(
            "it becomes valid in {}: correct the clock of this machine, or replace it on the \
             upstream",
            tls::rounded(*not_before, *time)
        )),
        E::NotValidForNameContext { presented, .. } => Some(of_name(presented)),
        E::BadSignature => Some(
            "a trusted CA has the name of its issuer but another key, as after that CA was made \
             again: set `upstream_ca` of the endpoint to the current PEM file of its CA"
                .to_owned(),
        ),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => Some(
            "it is not for servers: issue it with the extended key usage `serverAuth`".to_owned(),
        ),
        other => tls::own_fault(other).map(str::to_owned),
    }
}

/// What to do about a certificate for other names.
fn of_name(presented: &[String]) -> String {
    let names: Vec<_> = presented.iter().map(|name| shown_name(name)).collect();
    match names.as_slice() {
        [] => "it has no subject alternative name, which TLS requires (RFC 9525, section 6.3): \
               issue it with one"
            .to_owned(),
        names => format!(
            "it is for {}: write one of its names in `upstream`, or issue it for the name there",
            names.join(", ")
        ),
    }
}

/// A name without the type that rustls shows with it, as `DnsName("a.test")`.
fn shown_name(presented: &str) -> &str {
    let inner = presented
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
}

fn of_alert(alert: AlertDescription) -> Option<&'static str> {
    use AlertDescription as A;

    match alert {
        A::CertificateRequired => Some(
            "it requires a client certificate: set `upstream_client_certificate` of the endpoint",
        ),
        A::BadCertificate
        | A::UnknownCA
        | A::CertificateUnknown
        | A::CertificateExpired
        | A::CertificateRevoked
        | A::UnsupportedCertificate
        | A::AccessDenied => Some(
            "it rejects the client certificate: check `upstream_client_certificate` of the \
             endpoint, its dates and its CA",
        ),
        A::HandshakeFailure => Some(
            "it accepts none of the offered settings, or requires a client certificate \
             (`upstream_client_certificate`)",
        ),
        A::ProtocolVersion => Some("it must support TLS 1.2 or 1.3"),
        A::UnrecognisedName => Some("it does not know the host name in `upstream`"),
        A::NoApplicationProtocol => Some("it must speak HTTP/2 or HTTP/1.1"),
        A::InsufficientSecurity => Some("it accepts none of the offered cipher suites"),
        A::InternalError => Some("it failed itself: see its log"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::pki_types::UnixTime;

    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn each_fault_of_a_certificate_has_its_own_remedy() {
        let day = 86_400;
        let cases = [
            (CertificateError::UnknownIssuer, "`upstream_ca`"),
            (CertificateError::BadSignature, "CA was made again"),
            (CertificateError::Expired, "ends before it begins"),
            (CertificateError::InvalidPurpose, "`serverAuth`"),
            (
                CertificateError::ExpiredContext {
                    time: at(11 * day),
                    not_after: at(day),
                },
                "it expired 10 days ago: renew it",
            ),
            (
                CertificateError::NotValidYetContext {
                    time: at(0),
                    not_before: at(7200),
                },
                "it becomes valid in 2 hours: correct the clock",
            ),
            (
                CertificateError::NotValidForNameContext {
                    expected: "b.test".try_into().unwrap(),
                    presented: vec!["DnsName(\"a.test\")".into(), "IpAddress(127.0.0.1)".into()],
                },
                "it is for a.test, 127.0.0.1: write one of its names",
            ),
            (
                CertificateError::NotValidForNameContext {
                    expected: "b.test".try_into().unwrap(),
                    presented: Vec::new(),
                },
                "it has no subject alternative name",
            ),
        ];
        for (error, expected) in cases {
            let error = rustls::Error::InvalidCertificate(error);
            let text = remedy(&error).unwrap();
            assert!(text.contains(expected), "{text} lacks {expected}");
            let is_issuer = expected == "`upstream_ca`" || expected == "CA was made again";
            assert_eq!(text.contains("upstream_ca"), is_issuer, "{text}");
        }
    }
}
