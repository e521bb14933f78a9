//! PEM files: certificates and private keys, and who may read them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;

/// The most that is read of a file. A chain is a few kilobytes, the roots of a system a few
/// hundred.
const MAX_FILE_SIZE: u64 = 4 << 20;

/// Every certificate of a file, in order; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read_limited(path)?;
    let read = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, pem::Error>>();
    match read {
        Ok(list) if list.is_empty() => Err(file_error(path, "holds no certificate in PEM form")),
        Ok(list) => Ok(list),
        Err(error) => Err(file_error(path, &format!("is not valid PEM: {error}"))),
    }
}

/// The first private key of a file.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    match PrivateKeyDer::from_pem_slice(&read_limited(path)?) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(file_error(
            path,
            "holds no private key in PEM form without a password",
        )),
        Err(error) => Err(file_error(path, &format!("is not valid PEM: {error}"))),
    }
}

/// Refuses a file or folder whose mode has one of the bits `refused`.
#[cfg(unix)]
pub(super) fn check_permissions(
    path: &Path,
    refused: u32,
    mode: &'static str,
) -> Result<(), TlsError> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = std::fs::metadata(path).map_err(|source| io_error("read", path, source))?;
    if metadata.permissions().mode() & refused == 0 {
        return Ok(());
    }
    Err(TlsError::InsecurePermissions {
        path: path.to_owned(),
        mode,
    })
}

/// Where files have no mode there is nothing to look at.
#[cfg(not(unix))]
pub(super) fn refuse_exposed(_: &Path, _: u32, _: &'static str) -> Result<(), TlsError> {
    Ok(())
}

/// An error of the file system.
pub(super) fn io_error(action: &'static str, path: &Path, source: std::io::Error) -> TlsError {
    TlsError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

fn read_limited(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes))
        .map_err(|source| io_error("read", path, source))?;
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(file_error(path, "is too large for certificates"));
    }
    Ok(bytes)
}

fn file_error(path: &Path, problem: &str) -> TlsError {
    TlsError::File {
        path: path.to_owned(),
        problem: problem.to_owned(),
    }
}
