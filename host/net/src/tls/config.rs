//! The TLS settings of listeners and upstream clients.

use std::path::Path;
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ServerConfig};

use super::authority::CertificateAuthority;
use super::certificate_fault::{own_fault, shown};
use super::certificate_resolver::CertResolver;
use super::crypto::provider;
use super::error::TlsError;
use super::pem_files;
use super::trust::Trusted;
use ouli_config::{CertificateFiles, ClientAuth};

/// The protocols offered by ALPN (RFC 7301), in order of preference.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A certificate with its chain and its key.
pub type Identity = Arc<CertifiedKey>;

/// Decides which clients may connect to a listener.
pub type ClientVerifier = Arc<dyn ClientCertVerifier>;

/// Where the certificate of a listener comes from.
#[derive(Clone, Debug)]
pub enum CertificateSource {
    /// The user's.
    Identity(Identity),
    /// The local CA issues one for each name that clients request.
    LocalCa {
        /// The CA.
        authority: Arc<CertificateAuthority>,
        /// Certificates that are cached for further handshakes.
        cache_size: usize,
    },
}

/// Reads a certificate with its intermediates, and its key.
///
/// # Errors
/// If a file cannot be read or is not PEM, or if certificate and key do not match.
pub fn load_identity(files: &CertificateFiles) -> Result<Identity, TlsError> {
    let CertificateFiles { cert, key } = files;
    let chain = pem_files::certificates(cert)?;
    let loaded = CertifiedKey::from_der(chain, pem_files::private_key(key)?, &provider());
    loaded
        .map(Arc::new)
        .map_err(|error| unusable_identity(cert, key, &error))
}

/// Reads the CA certificates of clients.
///
/// # Errors
/// If the file cannot be read or holds no certificate.
pub fn load_client_verifier(auth: &ClientAuth) -> Result<ClientVerifier, TlsError> {
    let mut trusted = Trusted::none();
    trusted.add_file(&auth.ca)?;
    trusted.client_verifier(auth.mode)
}

/// The settings of a listener: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN. Without a verifier
/// clients are not asked for a certificate.
///
/// # Errors
/// If the TLS library rejects them.
pub fn server_config(
    source: &CertificateSource,
    clients: Option<ClientVerifier>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let clients = clients.unwrap_or_else(WebPkiClientVerifier::no_client_auth);
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients);
    let mut config = match source {
        CertificateSource::Identity(identity) => {
            let resolver = SingleCertAndKey::from(Arc::clone(identity));
            builder.with_cert_resolver(Arc::new(resolver))
        }
        CertificateSource::LocalCa {
            authority,
            cache_size,
        } => {
            let resolver = CertResolver::new(Arc::clone(authority), *cache_size);
            builder.with_cert_resolver(Arc::new(resolver))
        }
    };
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

/// The settings of an upstream client: it trusts the system's roots and those of a PEM file, and
/// offers HTTP/2 and HTTP/1.1 by ALPN. System roots that cannot be read are ignored. It has an
/// identity for upstreams that ask for a client certificate.
///
/// # Errors
/// If the file cannot be read or holds no certificate, or if there are no roots at all.
pub fn client_config(
    extra_ca: Option<&Path>,
    identity: Option<Identity>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let mut trusted = Trusted::system();
    if let Some(path) = extra_ca {
        trusted.add_file(path)?;
    }
    client_config_with_trusted(trusted, identity)
}

pub(super) fn client_config_with_trusted(
    trusted: Trusted,
    identity: Option<Identity>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(trusted.server_verifier()?);
    let mut config = match identity {
        Some(identity) => {
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

fn unusable_identity(cert: &Path, key: &Path, error: &rustls::Error) -> TlsError {
    if let rustls::Error::InvalidCertificate(reason) = error {
        let fault = own_fault(reason).map_or_else(|| shown(error), str::to_owned);
        return TlsError::file(cert, format!("cannot be used: {fault}"));
    }
    if let rustls::Error::General(reason) = error {
        let problem = format!(
            "holds a key that cannot be used: {reason}; use RSA with 2048 bits or more, ECDSA \
             P-256 or P-384, or Ed25519"
        );
        return TlsError::file(key, problem);
    }
    let problem = format!(
        "cannot be used with the key {}: {error}; the first certificate must be the one of this \
         key, and its issuers follow",
        key.display()
    );
    TlsError::file(cert, problem)
}
