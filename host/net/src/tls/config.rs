//! The TLS settings of listeners and upstream clients.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::authority::CertificateAuthority;
use super::certificate_resolver::CertResolver;
use super::crypto::provider;
use super::error::TlsError;
use super::pem_files;

/// The protocols offered by ALPN (RFC 7301), in order of preference.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Where the certificate of a listener comes from.
#[derive(Clone, Debug)]
pub enum CertificateSource {
    /// PEM files of the user.
    Files {
        /// The certificate, followed by its intermediates.
        cert: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// The local CA issues one for each name that clients request.
    LocalCa {
        /// The CA.
        authority: Arc<CertificateAuthority>,
        /// Certificates that are cached for further handshakes.
        cache_size: usize,
    },
}

/// The settings of a listener: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN.
///
/// # Errors
/// If a file cannot be read or is not PEM, or if certificate and key do not match.
pub fn server_config(source: &CertificateSource) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth();
    let mut config = match source {
        CertificateSource::Files { cert, key } => {
            let (chain, private_key) =
                (pem_files::certificates(cert)?, pem_files::private_key(key)?);
            let with_cert = builder.with_single_cert(chain, private_key);
            with_cert.map_err(|error| key_mismatch(cert, key, &error))?
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
/// offers HTTP/2 and HTTP/1.1 by ALPN. System roots that cannot be read are ignored.
///
/// # Errors
/// If the file cannot be read or holds no certificate, or if there are no roots at all.
pub fn client_config(extra_ca: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let system = rustls_native_certs::load_native_certs().certs;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(system);
    if let Some(path) = extra_ca {
        add_roots(&mut roots, path)?;
    }
    client_config_with_roots(roots)
}

pub(super) fn client_config_with_roots(
    roots: RootCertStore,
) -> Result<Arc<ClientConfig>, TlsError> {
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

fn add_roots(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    for certificate in pem_files::certificates(path)? {
        roots.add(certificate).map_err(|error| {
            let problem = format!("holds a certificate that cannot be a root: {error}");
            TlsError::file(path, problem)
        })?;
    }
    Ok(())
}

fn key_mismatch(cert: &Path, key: &Path, error: &rustls::Error) -> TlsError {
    let problem = format!("cannot be used with the key {}: {error}", key.display());
    TlsError::file(cert, problem)
}
