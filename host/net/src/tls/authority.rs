//! The local CA: a key and a certificate in a folder, made once and then read by every process.

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

use super::pem_files::{self, io_error};
use super::{TlsError, certificate, provider};

/// What clients are told to trust.
const CERTIFICATE_FILE: &str = "ca.pem";

/// The key with its certificate: one file, so that there is never one without the other.
const KEY_FILE: &str = "ca.key";

/// A certificate authority that only this user's clients trust.
#[derive(Debug)]
pub struct CertificateAuthority {
    folder: PathBuf,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl CertificateAuthority {
    /// Reads the CA of a folder, or makes it. Of several processes that make it at once one wins,
    /// and all of them get the same CA.
    ///
    /// # Errors
    /// Where the folder cannot be read or written, other users could read the key or replace it,
    /// or the CA does not serve (any more).
    pub fn open_or_create(folder: &Path) -> Result<Self, TlsError> {
        create_private_dir(folder).map_err(|source| io_error("create", folder, source))?;
        pem_files::check_permissions(folder, 0o022, "700")?;
        let key = folder.join(KEY_FILE);
        let exists = key.try_exists();
        if !exists.map_err(|source| io_error("read", &key, source))? {
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

    /// A new key with a certificate for `names`, which are DNS names or addresses.
    ///
    /// # Errors
    /// Where a name cannot stand in a certificate.
    pub fn issue(&self, names: &[&str]) -> Result<CertifiedKey, TlsError> {
        let signed = certificate::issue_leaf(names, &self.issuer, SystemTime::now());
        let (certificate, key) = signed.map_err(|source| TlsError::Leaf {
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
        let key = KeyPair::try_from(&key).map_err(|error| ca_error(folder, &error))?;
        Ok(Self {
            folder: folder.to_owned(),
            certificate,
            issuer: certificate::issuer(key),
        })
    }

    /// Signs a certificate and checks it as a client would: it fails where key and certificate do
    /// not belong together, and once the CA has expired.
    fn verify(&self) -> Result<(), TlsError> {
        let mut roots = RootCertStore::empty();
        let added = roots.add(self.certificate.clone());
        added.map_err(|error| ca_error(&self.folder, &error))?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| ca_error(&self.folder, &error))?;
        let name = ServerName::try_from("localhost").expect("localhost is a DNS name");
        let verify = |certificate: &CertificateDer<'_>| {
            verifier.verify_server_cert(certificate, &[], &name, &[], UnixTime::now())
        };
        let leaf = self.issue(&["localhost"])?;
        verify(&leaf.cert[0]).map_err(|error| ca_error(&self.folder, &error))?;
        // The dates of a root are not looked at above, though many clients do. As a server's
        // certificate it is always refused, but the dates come first.
        match verify(&self.certificate) {
            Err(error) if is_expired(&error) => Err(ca_error(&self.folder, &error)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Puts the certificate beside the key, where it does not stand there already.
    fn write_certificate(&self) -> Result<(), TlsError> {
        let path = self.certificate_path();
        let shown = pem_files::certificates(&path).ok();
        if shown.is_some_and(|list| list == [self.certificate.clone()]) {
            return Ok(());
        }
        let text = certificate::pem(&self.certificate);
        let written = write_temp(&self.folder, &text).and_then(|file| {
            make_readable(file.as_file())?;
            file.persist(&path).map_err(io::Error::from)
        });
        written.map_err(|source| io_error("write", &path, source))?;
        Ok(())
    }
}

/// Makes a new CA, unless another process was faster.
fn create(folder: &Path, path: &Path) -> Result<(), TlsError> {
    let text = certificate::new_ca(SystemTime::now()).map_err(|error| ca_error(folder, &error))?;
    let file = write_temp(folder, &text).map_err(|source| io_error("write", path, source))?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(io_error("write", path, error.error)),
    }
}

/// A whole file under a name of its own, which only the owner can read.
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

/// A certificate is copied to where every user's programs trust it.
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

fn ca_error(folder: &Path, error: &dyn std::error::Error) -> TlsError {
    TlsError::Ca {
        path: folder.to_owned(),
        problem: error.to_string(),
    }
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
    fn a_ca_is_made_once() {
        let (_parent, folder) = folder();
        let first = CertificateAuthority::open_or_create(&folder).unwrap();
        let second = CertificateAuthority::open_or_create(&folder).unwrap();
        assert_eq!(first.certificate, second.certificate);
        assert_eq!(first.certificate_path(), folder.join("ca.pem"));
        let shown = pem_files::certificates(&first.certificate_path()).unwrap();
        assert_eq!(shown, [first.certificate]);
    }

    #[test]
    fn processes_that_start_at_once_share_one() {
        let (_parent, folder) = folder();
        let certificates: Vec<_> = std::thread::scope(|scope| {
            let open = || {
                CertificateAuthority::open_or_create(&folder)
                    .unwrap()
                    .certificate
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(certificates.iter().all(|one| *one == certificates[0]));
        let names = fs::read_dir(&folder).unwrap();
        assert_eq!(names.count(), 2, "nothing is left beside ca.pem and ca.key");
    }

    #[test]
    fn a_lost_certificate_comes_back() {
        let (_parent, folder) = folder();
        let first = CertificateAuthority::open_or_create(&folder).unwrap();
        fs::remove_file(first.certificate_path()).unwrap();
        CertificateAuthority::open_or_create(&folder).unwrap();
        assert!(first.certificate_path().exists());
    }

    #[test]
    fn a_ca_that_does_not_serve_is_told() {
        let (_parent, folder) = folder();
        CertificateAuthority::open_or_create(&folder).unwrap();
        let key = folder.join(KEY_FILE);
        let own = fs::read_to_string(&key).unwrap();
        let other = certificate::new_ca(SystemTime::now()).unwrap();
        let mixed = format!("{}{}", half(&own).0, half(&other).1);
        let long_ago = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 30);
        let expired = certificate::new_ca(long_ago).unwrap();
        for (text, expected) in [
            (mixed.as_str(), "to get a new one"),
            (&expired, "xpired"),
            (half(&own).0, "private key"),
            (half(&own).1, "certificate"),
            ("", "certificate"),
        ] {
            fs::write(&key, text).unwrap();
            let error = CertificateAuthority::open_or_create(&folder)
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error} is not about {expected}");
        }
    }

    /// The certificate and the key of a CA's file.
    fn half(text: &str) -> (&str, &str) {
        text.split_at(text.find("-----BEGIN PRIVATE").unwrap())
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused() {
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
