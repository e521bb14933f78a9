//! What is wrong with a certificate whoever has it, and how to issue a valid one.

use rustls::{CertificateError, Error, OtherError};

/// The fault in plain words, as `it is malformed: issue it again`. None for a fault that depends on
/// the verifier: its trusted CAs, its clock, or the name that it expects.
pub(crate) fn own_fault(error: &CertificateError) -> Option<&'static str> {
    use CertificateError as E;

    Some(match error {
        E::BadEncoding => "it is malformed (RFC 5280): issue it again",
        // An expired certificate is reported with its dates; without them they are reversed.
        E::Expired => "its validity ends before it begins: issue it again with valid dates",
        E::Revoked => "it is revoked: replace it",
        E::UnhandledCriticalExtension => {
            "it has a critical extension that is not supported: issue it without that extension"
        }
        #[expect(deprecated, reason = "the library still returns it")]
        E::UnsupportedSignatureAlgorithm
        | E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "it is signed with an algorithm that is not supported: issue it again, signed with \
             SHA-256 and a key of the kind RSA (2048 bits or more), ECDSA P-256 or P-384, or \
             Ed25519"
        }
        E::Other(other) => return other_fault(other),
        _ => return None,
    })
}

fn other_fault(error: &OtherError) -> Option<&'static str> {
    use webpki::Error as E;

    Some(match error.0.downcast_ref()? {
        E::UnsupportedCertVersion => {
            "it is a certificate of X.509 version 1, which is not supported: issue one of version \
             3, as `openssl x509 -req -extfile FILE` does with the line \
             `subjectAltName=DNS:NAME` in FILE (`IP:ADDRESS` for an address)"
        }
        E::EndEntityUsedAsCa => {
            "one of its issuers is no CA: issue that one with `basicConstraints=critical,CA:TRUE`"
        }
        E::NameConstraintViolation => {
            "its names are outside those that its CA may certify (name constraints): issue it with \
             other names, or by another CA"
        }
        E::PathLenConstraintViolated => {
            "its chain is longer than a CA in it allows (path length constraint): issue it by \
             another CA"
        }
        E::MaximumPathDepthExceeded
        | E::MaximumPathBuildCallsExceeded
        | E::MaximumSignatureChecksExceeded
        | E::MaximumNameConstraintComparisonsExceeded => {
            "its chain of issuers is too long: send only the certificate and its issuers"
        }
        E::EmptyEkuExtension
        | E::ExtensionValueInvalid
        | E::InvalidSerialNumber
        | E::InvalidNetworkMaskConstraint
        | E::MalformedDnsIdentifier
        | E::MalformedExtensions
        | E::MalformedNameConstraint
        | E::SignatureAlgorithmMismatch => "it is malformed (RFC 5280): issue it again",
        E::UnsupportedCriticalExtension => {
            "it has a critical extension that is not supported: issue it without that extension"
        }
        E::UnsupportedNameType => {
            "it has a kind of name that is not supported: issue it for DNS names or IP addresses"
        }
        _ => return None,
    })
}

/// The error without the wrapping in which the library shows an error of its verifier.
pub(crate) fn shown(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            format!("invalid peer certificate: {}", other.0)
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn other(error: webpki::Error) -> CertificateError {
        CertificateError::Other(OtherError(Arc::new(error)))
    }

    #[test]
    fn a_fault_of_the_certificate_tells_how_to_issue_a_valid_one() {
        for (error, expected) in [
            (other(webpki::Error::UnsupportedCertVersion), "-extfile"),
            (other(webpki::Error::EndEntityUsedAsCa), "CA:TRUE"),
            (other(webpki::Error::NameConstraintViolation), "other names"),
            (CertificateError::Expired, "ends before it begins"),
            (CertificateError::BadEncoding, "issue it again"),
        ] {
            let fault = own_fault(&error).unwrap();
            assert!(fault.contains(expected), "{fault}");
            let shown = shown(&Error::InvalidCertificate(error));
            assert!(!shown.contains("OtherError"), "{shown}");
        }
        assert_eq!(own_fault(&CertificateError::UnknownIssuer), None);
    }
}
