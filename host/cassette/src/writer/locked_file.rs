//! A locked cassette file: no other gateway writes it.

use std::fs::{File, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::format::{LoadedCassette, RecordedExchange, last_ordinal, scan};
use crate::store::{self, CassetteDir, CassetteError, Dir, FileStamp, SessionName};

/// How often opening is repeated if the file is renamed before it is locked.
const LOCK_ATTEMPTS: usize = 8;

/// The file operations of an appender.
pub(super) trait AppendFile: Send {
    /// Appends bytes at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Truncates the file to `size` bytes.
    fn truncate(&mut self, size: u64) -> io::Result<()>;
    /// Syncs the file to the disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Copies the first `size` bytes to another file.
    fn copy_to(&mut self, target: &mut File, size: u64) -> io::Result<()>;
    /// The state of the file; `None` if it is not known.
    fn stamp(&self) -> Option<FileStamp>;
    /// The file, if it can be read.
    fn file(&self) -> Option<&File>;
}

/// A locked file. Dropping it unlocks the file explicitly, because a child process may inherit the
/// descriptor for a moment between fork and exec.
#[derive(Debug)]
pub(super) struct LockedFile(pub(super) File);

impl LockedFile {
    /// Locks the cassette of a session against other writers; `None` if it does not exist.
    pub(super) fn lock_existing(
        folder: &CassetteDir,
        name: &SessionName,
    ) -> Result<Option<Self>, CassetteError> {
        let path = folder.cassette_path(name);
        let parent = path.parent().unwrap_or(folder.root());
        let dir = Dir::open(folder.root(), parent).map_err(CassetteError::io("open", parent))?;
        let Some(dir) = dir else {
            return Ok(None);
        };
        match dir
            .open_read(&path)
            .map_err(CassetteError::io("open", &path))?
        {
            Some(_) => open_locked(&dir, &path).map(Some),
            None => Ok(None),
        }
    }

    /// The size in bytes.
    pub(super) fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// The permissions.
    pub(super) fn permissions(&self) -> io::Result<Permissions> {
        Ok(self.0.metadata()?.permissions())
    }

    /// The size, and the ordinal of the last exchange, if the end is as it was recorded. `None` if
    /// all of it has to be read.
    pub(super) fn whole_end(&self, max_size: u64) -> io::Result<Option<(u64, u64)>> {
        let size = self.size()?;
        if size > max_size {
            return Ok(None);
        }
        let ordinal = last_ordinal(size, |range| store::read_range(&self.0, range))?;
        Ok(ordinal.map(|ordinal| (size, ordinal)))
    }

    /// The number of exchanges, if there is nothing else and no more than `max_size` bytes.
    pub(super) fn count_if_whole(&self, max_size: u64) -> io::Result<Option<u64>> {
        let mut count = 0;
        let is_whole = scan_file(&self.0, max_size, |_| count += 1)?;
        Ok(is_whole.then_some(count))
    }

    /// Reads all of it.
    pub(super) fn load(
        &mut self,
        folder: &CassetteDir,
        path: &Path,
    ) -> Result<LoadedCassette, CassetteError> {
        let rewound = self.0.rewind();
        rewound.map_err(CassetteError::io("read", path))?;
        folder.load_file(&self.0, path)
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl AppendFile for LockedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.0.set_len(size)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn copy_to(&mut self, target: &mut File, size: u64) -> io::Result<()> {
        self.0.rewind()?;
        let copied = io::copy(&mut (&self.0).take(size), target)?;
        match copied == size {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn stamp(&self) -> Option<FileStamp> {
        FileStamp::of(&self.0).ok()
    }

    fn file(&self) -> Option<&File> {
        Some(&self.0)
    }
}

/// Passes each exchange of a cassette to `each`. False if there is anything else, or if the file
/// has more than `max_size` bytes.
pub(super) fn scan_file(
    file: &File,
    max_size: u64,
    mut each: impl FnMut(&RecordedExchange),
) -> io::Result<bool> {
    let size = file.metadata()?.len();
    match size <= max_size {
        true => scan(
            size,
            |range| store::read_range(file, range),
            |recorded, _| each(recorded),
        ),
        false => Ok(false),
    }
}

/// Opens the folder of a cassette, or creates it.
pub(super) fn open_parent(folder: &CassetteDir, path: &Path) -> Result<Dir, CassetteError> {
    let parent = path.parent().unwrap_or(folder.root());
    Dir::create(folder.root(), parent).map_err(CassetteError::io("create", parent))
}

/// Opens and locks a cassette.
pub(super) fn open_locked(dir: &Dir, path: &Path) -> Result<LockedFile, CassetteError> {
    let mut owner = None;
    for _ in 0..LOCK_ATTEMPTS {
        let file = dir
            .open_append(path)
            .map_err(CassetteError::io("open", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                owner = store::lock_owner(&file);
                break;
            }
            Err(TryLockError::Error(error)) => return Err(CassetteError::io("lock", path)(error)),
        }
        let file = LockedFile(file);
        // Another writer may have renamed the file between open and lock.
        if dir
            .is_current(&file.0, path)
            .map_err(CassetteError::io("read", path))?
        {
            return Ok(file);
        }
    }
    Err(CassetteError::Locked {
        path: path.to_owned(),
        owner,
    })
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
