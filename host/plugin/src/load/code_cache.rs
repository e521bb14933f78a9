//! The cache of compiled code: a file for each component, engine and version.
//!
//! Compiled code is run as it is. So a file begins with the digest of its code, which is checked
//! before it is loaded, and the folder belongs to the user alone. A file that cannot be used is
//! replaced; the cache never stops a start.

use std::fs::{self, DirBuilder, OpenOptions};
use std::hash::{Hash as _, Hasher};
use std::io::{Error, ErrorKind, Result, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use rustix::fs::Access;
use sha2::{Digest as _, Sha256};

/// The largest compiled code, in bytes.
pub(super) const MAX_CODE_SIZE: usize = 1 << 30;

/// The first bytes of a file. The digest of the code follows, and then the code.
const MAGIC: &[u8] = b"ouli-gateway compiled code 1\n";

/// The length of a digest.
const DIGEST: usize = 32;

/// The size of all files above which the files that were not used for the longest time are removed.
const MAX_TOTAL_SIZE: u64 = 2 << 30;

/// How the name of a file ends.
const SUFFIX: &str = ".code";

/// A folder with compiled code.
#[derive(Debug)]
pub(crate) struct CodeCache {
    folder: PathBuf,
    is_writable: bool,
}

impl CodeCache {
    /// Opens a folder, and creates it if it does not exist. None if it cannot be used, which is
    /// logged.
    pub(super) fn open(folder: &Path) -> Option<Self> {
        let checked = create(folder).and_then(|()| check_owner(folder));
        if let Err(error) = checked {
            warn_not_cached(folder, &error);
            return None;
        }
        let writable = rustix::fs::access(folder, Access::WRITE_OK).map_err(Error::from);
        if let Err(error) = &writable {
            warn_not_cached(folder, error);
        }
        Some(Self {
            folder: folder.to_owned(),
            is_writable: writable.is_ok(),
        })
    }

    /// The key of a component that is compiled by an engine of this flavor.
    pub(super) fn key(engine: &wasmtime::Engine, flavor: &str, bytes: &[u8]) -> String {
        let mut hasher = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.0.update(env!("CARGO_PKG_VERSION"));
        hasher.0.update(flavor);
        hasher.0.update([0]);
        hasher.0.update(bytes);
        hex(&hasher.0.finalize())
    }

    /// The code of a key; None if there is none. A file that is damaged is removed.
    pub(super) fn load(&self, key: &str) -> Option<Vec<u8>> {
        let path = self.path(key);
        let max_size = MAX_CODE_SIZE + MAGIC.len() + DIGEST;
        let read = ouli_files::read(&path, max_size);
        let mut file = match read {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                self.remove(key, &error.to_string());
                return None;
            }
        };
        let code = file.strip_prefix(MAGIC).and_then(|rest| {
            let (digest, code) = rest.split_at_checked(DIGEST)?;
            (digest == Sha256::digest(code).as_slice()).then_some(code.len())
        });
        let Some(length) = code else {
            self.remove(key, "its digest does not match its content");
            return None;
        };
        touch(&path);
        file.drain(..file.len() - length);
        Some(file)
    }

    /// Removes a file that cannot be used, and says so.
    pub(super) fn remove(&self, key: &str, reason: &str) {
        let path = self.path(key);
        tracing::warn!(
            "compile cache: {} cannot be used, the plugin is compiled again: {reason}",
            path.display()
        );
        let removed = match path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&path),
            Ok(_) | Err(_) => fs::remove_file(&path),
        };
        if let Err(error) = removed
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!("compile cache: cannot remove {}: {error}", path.display());
        }
    }

    /// Stores the code of a key. Without room or permission, it is compiled again the next time.
    pub(super) fn store(&self, key: &str, code: &[u8]) {
        if !self.is_writable {
            return;
        }
        if let Err(error) = self.try_store(key, code) {
            tracing::warn!(
                "compile cache: cannot write {}: {error}",
                self.path(key).display()
            );
        }
        self.remove_oldest(MAX_TOTAL_SIZE);
    }

    fn try_store(&self, key: &str, code: &[u8]) -> Result<()> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let temporary = self.folder.join(format!("{process}-{number}.tmp"));
        let result = write(&temporary, code).and_then(|()| fs::rename(&temporary, self.path(key)));
        if result.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        result
    }

    /// Removes files until all of them have at most this size, those first that were not used for
    /// the longest time.
    fn remove_oldest(&self, max_total: u64) {
        let Ok(entries) = self.folder.read_dir() else {
            return;
        };
        let files = entries
            .filter_map(std::result::Result::ok)
            .filter_map(|entry| {
                let path = entry.path();
                let is_code = entry.file_name().to_str()?.ends_with(SUFFIX);
                let metadata = path.symlink_metadata().ok()?;
                (is_code && metadata.is_file())
                    .then(|| Some((metadata.modified().ok()?, metadata.len(), path)))?
            });
        let mut files: Vec<(SystemTime, u64, PathBuf)> = files.collect();
        files.sort();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if total <= max_total {
                break;
            }
            // Another process may have removed it.
            let _ = fs::remove_file(path);
            total -= size;
        }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}{SUFFIX}"))
    }
}

fn create(folder: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn warn_not_cached(folder: &Path, error: &Error) {
    tracing::warn!(
        "compiled plugins are not cached, so each start compiles them: {}: {error}; make the \
         folder writable, or set XDG_CACHE_HOME to a folder that is",
        folder.display()
    );
}

/// Rejects a folder in which another user could plant code.
fn check_owner(folder: &Path) -> Result<()> {
    let metadata = fs::metadata(folder)?;
    let is_own = metadata.uid() == rustix::process::geteuid().as_raw();
    if is_own && metadata.mode() & 0o022 == 0 {
        return Ok(());
    }
    let reason = "other users can write it; make it yours alone with `chown` and `chmod 700`";
    Err(Error::new(ErrorKind::PermissionDenied, reason))
}

fn write(path: &Path, code: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(MAGIC)?;
    file.write_all(&Sha256::digest(code))?;
    file.write_all(code)
}

/// Marks a file as used now. It is removed earlier if this fails.
fn touch(path: &Path) {
    let opened = OpenOptions::new().append(true).open(path);
    let _ = opened.and_then(|file| file.set_modified(SystemTime::now()));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A hasher without collisions, for the compatibility hash of an engine.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest is taken instead.
    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn cache() -> (tempfile::TempDir, CodeCache) {
        let parent = tempfile::tempdir().unwrap();
        let cache = CodeCache::open(&parent.path().join("a/cache")).unwrap();
        (parent, cache)
    }

    #[test]
    fn code_that_was_changed_is_not_loaded() {
        let (_parent, cache) = cache();
        let path = cache.path("key");
        let changes: [fn(Vec<u8>) -> Vec<u8>; 5] = [
            |mut file| {
                let last = file.len() - 1;
                file[last] ^= 1;
                file
            },
            |mut file| {
                file[MAGIC.len()] ^= 1;
                file
            },
            |mut file| {
                file.truncate(MAGIC.len() + DIGEST + 3);
                file
            },
            |_| Vec::new(),
            |file| file[MAGIC.len()..].to_vec(),
        ];
        for change in changes {
            cache.store("key", b"compiled code");
            assert_eq!(cache.load("key").unwrap(), b"compiled code");
            fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
            assert_eq!(cache.load("key"), None);
            assert!(!path.exists(), "the damaged file is removed");
        }
        fs::create_dir(&path).unwrap();
        fs::write(path.join("file"), b"x").unwrap();
        assert_eq!(cache.load("key"), None);
        cache.store("key", b"again");
        assert_eq!(cache.load("key").unwrap(), b"again");
    }

    #[test]
    fn a_folder_that_others_can_write_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let parent = tempfile::tempdir().unwrap();
        let set = |mode| fs::set_permissions(parent.path(), fs::Permissions::from_mode(mode));
        set(0o777).unwrap();
        assert!(CodeCache::open(parent.path()).is_none());
        set(0o755).unwrap();
        assert!(CodeCache::open(parent.path()).is_some());
    }

    #[test]
    fn the_files_that_were_not_used_for_long_are_removed_first() {
        let (_parent, cache) = cache();
        for (name, age) in [("a", 1), ("b", 3), ("c", 2)] {
            cache.store(name, &[0; 100]);
            let file = OpenOptions::new()
                .append(true)
                .open(cache.path(name))
                .unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(100 - age);
            file.set_modified(time).unwrap();
        }
        let one = fs::metadata(cache.path("a")).unwrap().len();
        cache.load("b");
        cache.remove_oldest(2 * one);
        let kept = ["a", "b", "c"].map(|name| cache.path(name).exists());
        assert_eq!(kept, [true, true, false]);
    }
}
