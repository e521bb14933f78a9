//! The cassettes folder: the paths of sessions, and how they are loaded.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::error::CassetteError;
use super::file_stamp::FileStamp;
use super::former_path;
use super::linked_open;
use super::own_suffixes;
use super::recording_marker;
use super::secure_open;
use super::session_name::{NameError, SessionName};
use crate::format::{LoadedCassette, body_digest, decode, is_body_digest, line_ends};
use ouli_message::{Content, Exchange};

/// The folder that holds the cassettes.
#[derive(Clone, Debug)]
pub struct CassetteDir {
    root: PathBuf,
    max_file_size: u64,
}

/// What to do with a cassette that was changed after it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangePolicy {
    /// Load it, and mark every change.
    Mark,
    /// Refuse it: for edits, for damage and for a torn tail.
    Refuse,
}

impl CassetteDir {
    /// Opens the folder. Creates it, accessible only to its owner, if it does not exist. Files
    /// larger than `max_file_size` bytes are not loaded into memory.
    ///
    /// # Errors
    /// If the folder cannot be created.
    pub fn open(root: &Path, max_file_size: u64) -> Result<Self, CassetteError> {
        secure_open::create_root(root).map_err(CassetteError::io("create", root))?;
        if !root.is_dir() {
            let error = io::Error::new(ErrorKind::NotADirectory, "it is a file; name a folder");
            return Err(CassetteError::io("open", root)(error));
        }
        Ok(Self {
            root: root.to_owned(),
            max_file_size,
        })
    }

    /// The path of the folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The size in bytes of the largest file that is loaded.
    pub(crate) fn max_file_size(&self) -> u64 {
        self.max_file_size
    }

    /// The path of a session's cassette.
    ///
    /// # Errors
    /// If the name is not valid.
    pub fn session_path(&self, session: &str) -> Result<PathBuf, NameError> {
        SessionName::parse(session).map(|name| self.cassette_path(&name))
    }

    /// Loads a session; `None` if it has no cassette.
    ///
    /// # Errors
    /// If the name is not valid, or if the file cannot be read, is not a regular file, is too large
    /// or has another format; with [`ChangePolicy::Refuse`], if anything in it was changed.
    pub fn load(
        &self,
        session: &str,
        changes: ChangePolicy,
    ) -> Result<Option<LoadedCassette>, CassetteError> {
        Ok(self
            .load_stamped(session, changes)?
            .map(|(loaded, _)| loaded))
    }

    /// As [`Self::load`], with the stamp of the file that was read.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_stamped(
        &self,
        session: &str,
        changes: ChangePolicy,
    ) -> Result<Option<(LoadedCassette, FileStamp)>, CassetteError> {
        let path = self.session_path(session)?;
        let file = linked_open::open(&path).map_err(CassetteError::io("open", &path))?;
        let Some(file) = file else {
            return Ok(None);
        };
        let stamp = FileStamp::of(&file).map_err(CassetteError::io("read", &path))?;
        let loaded = self.load_file(&file, &path)?;
        match first_change(&loaded) {
            Some(change) if changes == ChangePolicy::Refuse => {
                Err(CassetteError::Changed { path, change })
            }
            _ => Ok(Some((loaded, stamp))),
        }
    }

    /// The stamp of a session's cassette. Links are followed. `None` if it does not exist, or if
    /// the name is not valid.
    pub fn stamp(&self, session: &str) -> Option<FileStamp> {
        let path = self.session_path(session).ok()?;
        path.metadata().ok().map(|metadata| (&metadata).into())
    }

    /// The marker file of a cassette that is not complete: a run of `record` began it, and has not
    /// ended in an orderly way. `None` if the cassette is complete or does not exist.
    pub fn incomplete(&self, session: &str) -> Option<PathBuf> {
        let path = self.session_path(session).ok()?;
        let marker = recording_marker::path(&path);
        (path.exists() && marker.exists()).then_some(marker)
    }

    /// Why the cassette is not complete, and what to do; `None` if it is.
    pub fn incomplete_reason(&self, session: &str) -> Option<String> {
        let marker = self.incomplete(session)?;
        let below = marker.strip_prefix(&self.root).unwrap_or(&marker);
        Some(format!(
            "the recording is not complete: it broke off, or another gateway is at it; record it \
             again, or remove {} to keep it as it is",
            below.display()
        ))
    }

    /// The number of exchanges whose stored bodies do not exist; 0 if the cassette cannot be read.
    pub(crate) fn count_without_bodies(&self, session: &str) -> u64 {
        let Ok(Some(loaded)) = self.load(session, ChangePolicy::Mark) else {
            return 0;
        };
        let is_missing = |content: &Content| match content {
            Content::Stored { digest, .. } => self.open_body(session, digest).is_err(),
            Content::Inline(_) => false,
        };
        let exchanges = loaded.exchanges.iter();
        let without = exchanges.filter(|it| it.exchange.contents().any(is_missing));
        without.count() as u64
    }

    /// Reads all stored bodies and messages of an exchange into memory.
    ///
    /// # Errors
    /// As [`Self::read_body`].
    pub fn read_bodies(&self, session: &str, exchange: &mut Exchange) -> io::Result<()> {
        for content in exchange.contents_mut() {
            if let Content::Stored { digest, .. } = &*content {
                *content = Content::Inline(self.read_body(session, digest)?);
            }
        }
        Ok(())
    }

    /// Reads a stored body and checks its digest. If only its line ends were converted, the
    /// recorded bytes are restored.
    ///
    /// # Errors
    /// As [`Self::open_body`]; also if the body is larger than the limit, or does not match its
    /// digest.
    pub fn read_body(&self, session: &str, digest: &str) -> io::Result<Bytes> {
        let (file, size) = self.open_body(session, digest)?;
        if size > self.max_file_size {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let bytes = read_bounded(&file, size)?;
        let restored = match body_digest(&bytes) == digest {
            true => Some(bytes),
            false => line_ends::restore(&bytes, |candidate| body_digest(candidate) == digest),
        };
        match restored {
            Some(bytes) => Ok(Bytes::from(bytes)),
            None => Err(io::Error::new(
                ErrorKind::InvalidData,
                format!("stored body {digest} was changed"),
            )),
        }
    }

    /// Opens a stored body for reading, and returns its size in bytes. The digest is not checked.
    ///
    /// # Errors
    /// If the session name or the digest is not valid, or if the file is missing, is not a regular
    /// file or cannot be opened.
    pub fn open_body(&self, session: &str, digest: &str) -> io::Result<(File, u64)> {
        let invalid = |reason: String| io::Error::new(ErrorKind::InvalidInput, reason);
        let name = SessionName::parse(session).map_err(|error| invalid(error.to_string()))?;
        if !is_body_digest(digest) {
            return Err(invalid("expected a SHA-256 in lower-case hex".to_owned()));
        }
        let file = linked_open::open(&self.bodies_path(&name).join(digest))?;
        let file = file.ok_or(ErrorKind::NotFound)?;
        let size = file.metadata()?.len();
        Ok((file, size))
    }

    /// The path of a cassette. One that earlier versions wrote stays where it is.
    pub(crate) fn cassette_path(&self, name: &SessionName) -> PathBuf {
        let below = |path: &str| PathBuf::from(format!("{path}{}", own_suffixes::CASSETTE));
        let path = below(name.path());
        let former = name.former_path().map(below);
        let is_used = |path: &PathBuf| former_path::has_files(&self.root, path);
        let former = former.filter(|former| !is_used(&path) && is_used(former));
        self.root.join(former.unwrap_or(path))
    }

    pub(crate) fn bodies_path(&self, name: &SessionName) -> PathBuf {
        bodies_of(&self.cassette_path(name))
    }

    pub(crate) fn load_file(
        &self,
        file: &File,
        path: &Path,
    ) -> Result<LoadedCassette, CassetteError> {
        let size = file.metadata().map_err(CassetteError::io("read", path))?;
        let size = size.len();
        if size > self.max_file_size {
            return Err(CassetteError::TooLarge {
                path: path.to_owned(),
                size,
                limit: self.max_file_size,
            });
        }
        let bytes = read_bounded(file, size).map_err(CassetteError::io("read", path))?;
        decode(&Bytes::from(bytes)).map_err(|source| CassetteError::Format {
            path: path.to_owned(),
            source,
        })
    }
}

/// The folder of the stored bodies of a cassette with this path.
pub(crate) fn bodies_of(cassette: &Path) -> PathBuf {
    let name = cassette.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(own_suffixes::CASSETTE).unwrap_or(&name);
    cassette.with_file_name(format!("{stem}{}", own_suffixes::BODIES))
}

/// Reads a range of a file.
pub(crate) fn read_range(file: &File, range: Range<u64>) -> io::Result<Vec<u8>> {
    let length = usize::try_from(range.end - range.start);
    let mut bytes = vec![0; length.map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes)
}

/// Reads at most `size` bytes, so that a file that grows in the meantime cannot exhaust the memory.
fn read_bounded(file: &File, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX))
        .map_err(|_| ErrorKind::OutOfMemory)?;
    file.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn first_change(loaded: &LoadedCassette) -> Option<String> {
    let edited = loaded.exchanges.iter().find(|it| it.edited);
    let unread = loaded.damage.first().or(loaded.torn_tail.as_ref());
    edited
        .map(|it| format!("exchange {} was edited", it.ordinal))
        .or_else(|| unread.map(ToString::to_string))
}
