//! TLS on both sides: certificates for the listeners, trusted roots for the upstreams.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, ring};
/// The TLS settings of a client and of a server.
pub use rustls::{ClientConfig, ServerConfig};

mod authority;
mod certificate;
mod certificate_resolver;
mod pem_files;

pub use authority::CertificateAuthority;

use certificate_resolver::CertResolver;

/// The protocols offered by ALPN (RFC 7301), the preferred one first.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What went wrong with a certificate, a key or a root.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file or folder cannot be read or written.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// What was tried, as `read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A file that should hold certificates or a key.
    #[error("{} {problem}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as `holds no certificate`.
        problem: String,
    },
    /// Others than the owner could read or replace a private key.
    #[error("{} is open to other users: run `chmod {mode} {}`", .path.display(), .path.display())]
    InsecurePermissions {
        /// The file or folder.
        path: PathBuf,
        /// The mode that it should have.
        mode: &'static str,
    },
    /// The local CA does not serve.
    #[error(
        "the local CA cannot be used ({problem}): remove {} to get a new one",
        .path.display()
    )]
    Ca {
        /// The folder of the CA.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A certificate cannot be made for a name.
    #[error("no certificate for `{name}`")]
    Leaf {
        /// The name.
        name: String,
        /// Why it failed.
        source: rcgen::Error,
    },
    /// The cryptography library refuses what it was given.
    #[error("the TLS library refuses the settings")]
    Rustls(#[from] rustls::Error),
    /// Nothing is trusted, so no upstream could be.
    #[error(
        "the system has no trusted certificates: install them (package ca-certificates), set \
         SSL_CERT_FILE, or name a file with `upstream_ca`"
    )]
    NoRoots,
}

/// Where the certificate of a listener comes from.
#[derive(Clone, Debug)]
pub enum CertificateSource {
    /// PEM files of the user's.
    Files {
        /// The certificate, then those between it and its root.
        cert: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// The local CA makes one for each name that clients ask for.
    LocalCa {
        /// The CA.
        authority: Arc<CertificateAuthority>,
        /// How many certificates are kept for further handshakes.
        cache_size: usize,
    },
}

/// Settings of a listener: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN.
///
/// # Errors
/// Where a file cannot be read, holds something else or does not fit the other; where the CA cannot
/// sign.
pub fn server_config(identity: &CertificateSource) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth();
    let mut config = match identity {
        CertificateSource::Files { cert, key } => {
            let (chain, private) = (pem_files::certificates(cert)?, pem_files::private_key(key)?);
            let with_cert = builder.with_single_cert(chain, private);
            with_cert.map_err(|error| key_mismatch(cert, key, &error))?
        }
        CertificateSource::LocalCa {
            authority,
            cache_size: certificates,
        } => {
            let resolver = CertResolver::new(Arc::clone(authority), *certificates);
            builder.with_cert_resolver(Arc::new(resolver))
        }
    };
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

/// Settings for upstreams: the roots of the system and those of a PEM file, HTTP/2 and HTTP/1.1 by
/// ALPN. Roots of the system that cannot be read are left out.
///
/// # Errors
/// Where the file cannot be read or holds no certificate; without a file, where the system has no
/// root.
pub fn client_config(extra_ca: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let system = rustls_native_certs::load_native_certs().certs;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(system);
    if let Some(path) = extra_ca {
        add_roots(&mut roots, path)?;
    }
    client_config_with_roots(roots)
}

fn client_config_with_roots(roots: RootCertStore) -> Result<Arc<ClientConfig>, TlsError> {
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
        roots.add(certificate).map_err(|error| TlsError::File {
            path: path.to_owned(),
            problem: format!("holds a certificate that cannot be trusted: {error}"),
        })?;
    }
    Ok(())
}

fn key_mismatch(cert: &Path, key: &Path, error: &rustls::Error) -> TlsError {
    TlsError::File {
        path: cert.to_owned(),
        problem: format!("cannot be used with the key {}: {error}", key.display()),
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
mod tests;
