//! Which certificates of peers are trusted: those that a trusted CA issued, and those that the user
//! named themselves.
//!
//! A self-signed certificate is often marked as a CA (`openssl req -x509`). webpki rejects it as a
//! server certificate (RFC 5280, section 4.2.1.9), even if it is in the file of trusted
//! certificates. There it can only mean that exactly this certificate is trusted. The same holds
//! for a certificate whose issuer is unknown.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};

use super::crypto::provider;
use super::error::TlsError;
use super::pem_files;
use ouli_config::ClientAuthMode;

/// Trusted certificates.
#[derive(Debug)]
pub(super) struct Trusted {
    roots: RootCertStore,
    /// The certificates that the user named.
    named: Vec<CertificateDer<'static>>,
}

impl Trusted {
    /// No certificate.
    pub(super) fn none() -> Self {
        Self {
            roots: RootCertStore::empty(),
            named: Vec::new(),
        }
    }

    /// The certificates of the system. Those that cannot be read are ignored.
    pub(super) fn system() -> Self {
        let mut trusted = Self::none();
        let system = rustls_native_certs::load_native_certs().certs;
        trusted.roots.add_parsable_certificates(system);
        trusted
    }

    /// Adds the certificates of a PEM file.
    pub(super) fn add_file(&mut self, path: &Path) -> Result<(), TlsError> {
        for certificate in pem_files::certificates(path)? {
            self.roots.add(certificate.clone()).map_err(|error| {
                let problem = format!("holds a certificate that cannot be a root: {error}");
                TlsError::file(path, problem)
            })?;
            self.named.push(certificate);
        }
        Ok(())
    }

    /// Verifies upstreams.
    pub(super) fn server_verifier(self) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
        if self.roots.is_empty() {
            return Err(TlsError::NoRoots);
        }
        let by_ca =
            WebPkiServerVerifier::builder_with_provider(Arc::new(self.roots), provider()).build();
        Ok(Arc::new(ServerVerifier {
            by_ca: by_ca.map_err(|error| TlsError::verifier(&error))?,
            named: self.named,
        }))
    }

    /// Verifies clients.
    pub(super) fn client_verifier(
        self,
        mode: ClientAuthMode,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots), provider());
        let builder = match mode {
            ClientAuthMode::Required => builder,
            ClientAuthMode::Optional => builder.allow_unauthenticated(),
        };
        Ok(Arc::new(ClientVerifier {
            by_ca: builder
                .build()
                .map_err(|error| TlsError::verifier(&error))?,
            named: self.named,
        }))
    }
}

/// Verifies the certificate of an upstream.
#[derive(Debug)]
struct ServerVerifier {
    by_ca: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.by_ca.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            Err(error) if is_named(&self.named, end_entity, &error) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_ca.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_ca.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_ca.supported_verify_schemes()
    }
}

/// Verifies the certificate of a client.
#[derive(Debug)]
struct ClientVerifier {
    by_ca: Arc<dyn ClientCertVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.by_ca.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.by_ca.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self
            .by_ca
            .verify_client_cert(end_entity, intermediates, now)
        {
            Err(error) if is_named(&self.named, end_entity, &error) => {
                Ok(ClientCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_ca.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_ca.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_ca.supported_verify_schemes()
    }
}

/// True if the user named exactly this certificate, and it is rejected only for its issuer. Its
/// dates are checked before its issuer, so they are valid.
fn is_named(
    named: &[CertificateDer<'static>],
    end_entity: &CertificateDer<'_>,
    error: &Error,
) -> bool {
    let is_issuer = match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        Error::InvalidCertificate(CertificateError::Other(other)) => is_ca_as_end_entity(other),
        _ => false,
    };
    is_issuer && named.iter().any(|one| one == end_entity)
}

/// True if the certificate of a CA is used as that of a server or client.
pub(crate) fn is_ca_as_end_entity(error: &OtherError) -> bool {
    matches!(
        error.0.downcast_ref(),
        Some(webpki::Error::CaUsedAsEndEntity)
    )
}
