//! The local CA: a key and a certificate in a folder, created once and shared by all processes.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rcgen::{Issuer, KeyPair};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};

use super::crypto::provider;
use super::error::TlsError;
use super::{certificate, pem_files};

/// The certificate, which clients are told to trust.
const CERTIFICATE_FILE: &str = "ca.pem";

/// The key and its certificate in one file, so that neither exists without the other.
const KEY_FILE: &str = "ca.key";

/// A certificate authority that only this user's clients trust.
#[derive(Debug)]
pub struct CertificateAuthority {
    folder: PathBuf,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl CertificateAuthority {
    /// Reads the CA of a folder, or creates it. If several processes create it at once, all of them
    /// get the same CA.
    ///
    /// # Errors
    /// If the folder cannot be read or written, if other users could read or replace the key, or if
    /// the CA is invalid or expired.
    pub fn open_or_create(folder: &Path) -> Result<Self, TlsError> {
        create_private_dir(folder).map_err(|source| TlsError::io("create", folder, source))?;
        pem_files::check_permissions(folder, 0o022, "700")?;
        let key = folder.join(KEY_FILE);
        let exists = key.try_exists();
        if !exists.map_err(|source| TlsError::io("read", &key, source))? {
            create(folder, &key)?;
        }
        let authority = Self::open(folder, &key)?;
        authority.verify()?;
        authority.write_certificate()?;
        Ok(authority)
    }

    /// The PEM file that clients are told to trust.
    pub fn certificate_path(&self) -> PathBuf {
        self.folder.join(CERTIFICATE_FILE)
    }

    /// A new key and certificate for `names`, which are DNS names or IP addresses.
    ///
    /// # Errors
    /// If a name is not valid in a certificate.
    pub(super) fn issue(&self, names: &[&str]) -> Result<CertifiedKey, TlsError> {
        let issued = certificate::issue_leaf(names, &self.issuer, SystemTime::now());
        let (certificate, key) = issued.map_err(|source| TlsError::Leaf {
            name: names.join(", "),
            source,
        })?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = provider().key_provider.load_private_key(key)?;
        Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
    }

    fn open(folder: &Path, path: &Path) -> Result<Self, TlsError> {
        pem_files::check_permissions(path, 0o077, "600")?;
        let certificate = pem_files::certificates(path)?.swap_remove(0);
        let key = pem_files::private_key(path)?;
        let key = KeyPair::try_from(&key).map_err(|error| TlsError::ca(folder, &error))?;
        Ok(Self {
            folder: folder.to_owned(),
            certificate,
            issuer: certificate::issuer(key),
        })
    }

    /// Issues a certificate and verifies it as a client would. Fails if key and certificate do not
    /// match, or if the CA has expired.
    fn verify(&self) -> Result<(), TlsError> {
        let mut roots = RootCertStore::empty();
        let added = roots.add(self.certificate.clone());
        added.map_err(|error| TlsError::ca(&self.folder, &error))?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| TlsError::ca(&self.folder, &error))?;
        let name = ServerName::try_from("localhost").expect("localhost is a DNS name");
        let verify = |certificate: &CertificateDer<'_>| {
            verifier.verify_server_cert(certificate, &[], &name, &[], UnixTime::now())
        };
        let leaf = self.issue(&["localhost"])?;
        verify(&leaf.cert[0]).map_err(|error| TlsError::ca(&self.folder, &error))?;
        // The above ignores the dates of the root, though many clients check them. As a server
        // certificate the root is always rejected, but its dates are checked first.
        match verify(&self.certificate) {
            Err(error) if is_expired(&error) => Err(TlsError::ca(&self.folder, &error)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Writes the certificate next to the key, unless it is there.
    fn write_certificate(&self) -> Result<(), TlsError> {
        let path = self.certificate_path();
        let existing = pem_files::certificates(&path).ok();
        if existing.is_some_and(|list| list == [self.certificate.clone()]) {
            return Ok(());
        }
        let text = certificate::pem(&self.certificate);
        let written = write_temp(&self.folder, &text).and_then(|file| {
            make_readable(file.as_file())?;
            file.persist(&path).map_err(io::Error::from)
        });
        written.map_err(|source| TlsError::io("write", &path, source))?;
        Ok(())
    }
}

/// Creates a new CA, unless another process has created one meanwhile.
fn create(folder: &Path, path: &Path) -> Result<(), TlsError> {
    let text =
        certificate::new_ca(SystemTime::now()).map_err(|error| TlsError::ca(folder, &error))?;
    let file = write_temp(folder, &text).map_err(|source| TlsError::io("write", path, source))?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(TlsError::io("write", path, error.error)),
    }
}

/// Writes a temporary file that only the owner can read.
fn write_temp(folder: &Path, text: &str) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(".ca-")
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn create_private_dir(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// All users may read the certificate: it is copied to where their programs trust it.
fn make_readable(file: &fs::File) -> io::Result<()> {
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

fn is_expired(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. }
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/ca");
        (parent, folder)
    }

    #[test]
    fn creates_a_ca_once() {
        let (_parent, folder) = folder();
        let first = CertificateAuthority::open_or_create(&folder).unwrap();
        let second = CertificateAuthority::open_or_create(&folder).unwrap();
        assert_eq!(first.certificate, second.certificate);
        assert_eq!(first.certificate_path(), folder.join("ca.pem"));
        let written = pem_files::certificates(&first.certificate_path()).unwrap();
        assert_eq!(written, [first.certificate]);
    }

    #[test]
    fn processes_that_start_at_once_share_a_ca() {
        let (_parent, folder) = folder();
        let certificates: Vec<_> = std::thread::scope(|scope| {
            let open = || {
                CertificateAuthority::open_or_create(&folder)
                    .unwrap()
                    .certificate
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert!(
            certificates
                .iter()
                .all(|certificate| *certificate == certificates[0])
        );
        let names = fs::read_dir(&folder).unwrap();
        assert_eq!(names.count(), 2, "only ca.pem and ca.key remain");
    }

    #[test]
    fn restores_a_deleted_certificate() {
        let (_parent, folder) = folder();
        let first = CertificateAuthority::open_or_create(&folder).unwrap();
        fs::remove_file(first.certificate_path()).unwrap();
        CertificateAuthority::open_or_create(&folder).unwrap();
        assert!(first.certificate_path().exists());
    }

    #[test]
    fn rejects_an_unusable_ca() {
        let (_parent, folder) = folder();
        CertificateAuthority::open_or_create(&folder).unwrap();
        let key = folder.join(KEY_FILE);
        let own = fs::read_to_string(&key).unwrap();
        let other = certificate::new_ca(SystemTime::now()).unwrap();
        let mismatched = format!("{}{}", split(&own).0, split(&other).1);
        let long_ago = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 30);
        let expired = certificate::new_ca(long_ago).unwrap();
        for (text, expected) in [
            (mismatched.as_str(), "to get a new one"),
            (&expired, "xpired"),
            (split(&own).0, "private key"),
            (split(&own).1, "certificate"),
            ("", "certificate"),
        ] {
            fs::write(&key, text).unwrap();
            let error = CertificateAuthority::open_or_create(&folder)
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(expected),
                "{error} does not contain {expected}"
            );
        }
    }

    /// The certificate and the key of a CA file.
    fn split(text: &str) -> (&str, &str) {
        text.split_at(text.find("-----BEGIN PRIVATE").unwrap())
    }

    #[cfg(unix)]
    #[test]
    fn rejects_a_key_that_other_users_can_read() {
        use std::os::unix::fs::PermissionsExt;

        let (_parent, folder) = folder();
        CertificateAuthority::open_or_create(&folder).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (key, certificate) = (folder.join(KEY_FILE), folder.join(CERTIFICATE_FILE));
        assert_eq!(
            (mode(&folder), mode(&key), mode(&certificate)),
            (0o700, 0o600, 0o644)
        );
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let error = CertificateAuthority::open_or_create(&folder)
            .unwrap_err()
            .to_string();
        assert!(error.contains("run `chmod 600 "), "{error}");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o770)).unwrap();
        let error = CertificateAuthority::open_or_create(&folder)
            .unwrap_err()
            .to_string();
        assert!(error.contains("run `chmod 700 "), "{error}");
    }
}
