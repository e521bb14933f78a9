//! One cassette open for writing: locked, repaired, and only ever longer by whole exchanges.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::format::decode::LoadedCassette;
use crate::format::encode::HEADER;
use crate::store::error::CassetteError;
use crate::store::folder::CassetteDir;
use crate::store::secure_open::Dir;
use crate::store::session_name::SessionName;
use crate::store::{body_files, lock_owner};

/// A cassette that is open for writing. The lock is on the file itself, so that it leaves no file
/// behind, and goes with it when it is renamed.
pub(crate) struct Appender {
    file: Box<dyn AppendFile>,
    file_length: u64,
    next_ordinal: u64,
    broken: bool,
}

/// What an appender needs of a file.
pub(crate) trait AppendFile: Send {
    /// Writes at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the end off.
    fn truncate(&mut self, size: u64) -> io::Result<()>;
    /// Waits until everything is on the disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// A locked file. The lock ends with this value, even where a process that is being started has
/// a copy of the handle for a moment.
#[derive(Debug)]
pub(crate) struct LockedFile(File);

impl LockedFile {
    /// Locks the cassette of a session, so that nobody else writes it; none where it has none yet.
    pub(crate) fn lock_existing(
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
}

impl Appender {
    /// Opens a cassette to append to; creates it where there is none. All of it is read, and a torn
    /// end is set aside.
    pub(crate) fn open(folder: &CassetteDir, name: &SessionName) -> Result<Self, CassetteError> {
        let path = folder.cassette_path(name);
        let dir = open_parent(folder, &path)?;
        let mut file = open_locked(&dir, &path)?;
        body_files::remove_temp_files(folder, name);
        let loaded = folder.load_file(&file.0, &path)?;
        save_torn_tail(&dir, &mut file.0, &path, &loaded)
            .map_err(CassetteError::io("repair", &path))?;
        let start = leading_separator(&mut file.0, loaded.valid_length);
        let start = start.map_err(CassetteError::io("read", &path))?;
        let mut this = Self::with_file(Box::new(file), loaded.valid_length, loaded.next_ordinal());
        this.append(start, 0, false)
            .and_then(|()| match loaded.valid_length {
                0 => dir.sync(),
                _ => Ok(()),
            })
            .map_err(CassetteError::io("write", &path))?;
        Ok(this)
    }

    /// Creates a cassette; one that exists becomes `SESSION.jsons.previous`, in place of an older
    /// one, unless it holds nothing. The stored bodies of that one stay, those that no cassette
    /// names any more go.
    ///
    /// Whenever the process ends, one of the two names has all of the old cassette: what is left
    /// without a header holds nothing, and so never takes its place.
    pub(crate) fn rotate(folder: &CassetteDir, name: &SessionName) -> Result<Self, CassetteError> {
        let path = folder.cassette_path(name);
        let dir = open_parent(folder, &path)?;
        let old = open_locked(&dir, &path)?;
        let size = old.0.metadata().map_err(CassetteError::io("read", &path))?;
        if size.len() > HEADER.len() as u64 {
            let previous = with_suffix(&path, ".previous");
            dir.rename(&path, &previous)
                .map_err(CassetteError::io("rename", &path))?;
            body_files::remove_unreferenced(folder, name, || folder.load_file(&old.0, &previous));
        }
        drop(old);
        Self::open(folder, name)
    }

    /// A cassette of `end` bytes whose next exchange has the ordinal `next`.
    pub(crate) fn with_file(file: Box<dyn AppendFile>, end: u64, next: u64) -> Self {
        Self {
            file,
            file_length: end,
            next_ordinal: next,
            broken: false,
        }
    }

    /// The ordinal of the next exchange.
    pub(crate) fn next_ordinal(&self) -> u64 {
        self.next_ordinal
    }

    /// Appends `count` exchanges, all or none, with one write.
    ///
    /// # Errors
    /// Where the disk refuses. What was written is cut off again.
    pub(crate) fn append(&mut self, bytes: &[u8], count: u64, sync: bool) -> io::Result<()> {
        let written = self.file.append(bytes).and_then(|()| match sync {
            true => self.sync(),
            false => Ok(()),
        });
        if let Err(error) = written {
            self.broken |= self.file.truncate(self.file_length).is_err();
            return Err(error);
        }
        self.file_length += bytes.len() as u64;
        self.next_ordinal = self.next_ordinal.saturating_add(count);
        Ok(())
    }

    /// True where the file has to be opened anew, which reads all of it and sets a torn end aside:
    /// an end could not be cut off, or the disk did not confirm what was written.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// Where the disk refuses. The system may have dropped what it could not write and then calls a
    /// second try a success, so this file is given up.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.file.sync().inspect_err(|_| self.broken = true)
    }
}

/// The folder of a cassette, made where there is none.
fn open_parent(folder: &CassetteDir, path: &Path) -> Result<Dir, CassetteError> {
    let parent = path.parent().unwrap_or(folder.root());
    Dir::create(folder.root(), parent).map_err(CassetteError::io("create", parent))
}

/// Opens and locks a cassette.
fn open_locked(dir: &Dir, path: &Path) -> Result<LockedFile, CassetteError> {
    let mut holder = None;
    for _ in 0..LOCK_ATTEMPTS {
        let file = dir
            .open_append(path)
            .map_err(CassetteError::io("open", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                holder = lock_owner::lock_owner(&file);
                break;
            }
            Err(TryLockError::Error(error)) => return Err(CassetteError::io("lock", path)(error)),
        }
        let file = LockedFile(file);
        // Another writer may have renamed the file before it was locked here.
        if dir
            .is_current(&file.0, path)
            .map_err(CassetteError::io("read", path))?
        {
            return Ok(file);
        }
    }
    Err(CassetteError::Locked {
        path: path.to_owned(),
        holder,
    })
}

/// Moves a torn end to `SESSION.jsons.torn`, behind what is there already. It is cut off only once
/// it stands there whole.
fn save_torn_tail(
    dir: &Dir,
    file: &mut File,
    path: &Path,
    loaded: &LoadedCassette,
) -> io::Result<()> {
    if loaded.torn_tail.is_none() {
        return Ok(());
    }
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(loaded.valid_length))?;
    file.read_to_end(&mut tail)?;
    let mut aside = dir.open_append(&with_suffix(path, ".torn"))?;
    let before = aside.metadata()?.len();
    let kept = aside.write_all(&tail).and_then(|()| aside.sync_all());
    kept.or_else(|error| {
        aside.set_len(before)?;
        Err(error)
    })?;
    file.set_len(loaded.valid_length)
}

/// What has to stand between the end of a cassette and the first exchange that is appended.
fn leading_separator(file: &mut File, end: u64) -> io::Result<&'static [u8]> {
    let Some(last) = end.checked_sub(1) else {
        return Ok(HEADER.as_bytes());
    };
    let mut byte = [0];
    file.seek(SeekFrom::Start(last))?;
    file.read_exact(&mut byte)?;
    Ok(if byte == [b'\n'] { b"" } else { b"\n" })
}

fn with_suffix(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

const LOCK_ATTEMPTS: usize = 8;
