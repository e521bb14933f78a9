//! PEM files: certificates and private keys, and who may read them.

use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::TlsError;

/// Larger files are rejected. A chain has a few kilobytes, a system's roots a few hundred.
const MAX_FILE_SIZE: usize = 4 << 20;

/// All certificates of a file, in order; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read_limited(path)?;
    let read = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, pem::Error>>();
    match read {
        Ok(list) if list.is_empty() => {
            let hint = der_hint(&bytes, "x509");
            let problem = format!("holds no certificate in PEM form{hint}");
            Err(TlsError::file(path, problem))
        }
        Ok(list) => Ok(list),
        Err(error) => Err(TlsError::file(path, format!("is not valid PEM: {error}"))),
    }
}

/// The first private key of a file.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let bytes = read_limited(path)?;
    match PrivateKeyDer::from_pem_slice(&bytes) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => {
            let hint = if has_password(&bytes) {
                "; remove the password with `openssl pkey`"
            } else {
                der_hint(&bytes, "pkey")
            };
            let problem = format!("holds no private key in PEM form without a password{hint}");
            Err(TlsError::file(path, problem))
        }
        Err(error) => Err(TlsError::file(path, format!("is not valid PEM: {error}"))),
    }
}

/// True for the PEM labels of a key that is encrypted with a password (RFC 7468, section 11; RFC
/// 1421, section 4.6).
fn has_password(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.contains("ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
}

/// What to do with a file in DER form: it is one ASN.1 sequence.
fn der_hint(bytes: &[u8], command: &str) -> &'static str {
    match (bytes.first(), command) {
        (Some(0x30), "x509") => "; convert it with `openssl x509 -inform der`",
        (Some(0x30), _) => "; convert it with `openssl pkey -inform der`",
        _ => "",
    }
}

/// Rejects a file or folder whose mode has one of the bits `forbidden`. `mode` is the one to set.
#[cfg(unix)]
pub(super) fn check_permissions(
    path: &Path,
    forbidden: u32,
    mode: &'static str,
) -> Result<(), TlsError> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = std::fs::metadata(path).map_err(|source| TlsError::io("read", path, source))?;
    if metadata.permissions().mode() & forbidden == 0 {
        return Ok(());
    }
    Err(TlsError::InsecurePermissions {
        path: path.to_owned(),
        mode,
    })
}

/// Other systems have no file modes.
#[cfg(not(unix))]
pub(super) fn check_permissions(_: &Path, _: u32, _: &'static str) -> Result<(), TlsError> {
    Ok(())
}

fn read_limited(path: &Path) -> Result<Vec<u8>, TlsError> {
    ouli_files::read(path, MAX_FILE_SIZE).map_err(|source| TlsError::io("read", path, source))
}
