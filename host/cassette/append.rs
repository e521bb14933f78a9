//! One cassette open for writing: locked, repaired, and only ever longer by whole exchanges.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::store::Folder;
use super::{CassetteError, HEADER, Loaded, SessionName, bodies, open};

/// A cassette that is open for writing. The lock is on the file itself, so that it leaves no file
/// behind, and goes with it when it is renamed.
pub(super) struct Appender {
    file: Box<dyn Sink>,
    end: u64,
    next: u64,
    broken: bool,
}

/// What an appender needs of a file.
pub(super) trait Sink: Send {
    /// Writes at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the end off.
    fn truncate(&mut self, size: u64) -> io::Result<()>;
    /// Waits until everything is on the disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// A locked file. The lock ends with this value, even where a process that is being started has
/// a copy of the handle for a moment.
struct Locked(File);

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl Sink for Locked {
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
    /// Opens a cassette to append to; creates it where there is none. A torn end is set aside.
    pub(super) fn open(folder: &Folder, name: &SessionName) -> Result<Self, CassetteError> {
        let path = folder.path_of(name);
        let mut file = lock(folder, &path)?;
        let loaded = folder.load_file(&file.0, &path)?;
        set_aside(&mut file.0, &path, &loaded).map_err(CassetteError::io("repair", &path))?;
        let start = start_of_append(&mut file.0, loaded.whole);
        let start = start.map_err(CassetteError::io("read", &path))?;
        let mut this = Self::on(Box::new(file), loaded.whole, loaded.next_ordinal());
        this.append(start, 0, false)
            .and_then(|()| match loaded.whole {
                0 => bodies::sync_folder(path.parent().unwrap_or(folder.root())),
                _ => Ok(()),
            })
            .map_err(CassetteError::io("write", &path))?;
        Ok(this)
    }

    /// Creates a cassette; one that exists becomes `SESSION.jsons.previous`, in place of an older
    /// one, unless it holds nothing. The stored bodies of that one stay, those that no cassette
    /// names any more go.
    pub(super) fn anew(folder: &Folder, name: &SessionName) -> Result<Self, CassetteError> {
        let path = folder.path_of(name);
        let old = lock(folder, &path)?;
        let size = old.0.metadata().map_err(CassetteError::io("read", &path))?;
        if size.len() > HEADER.len() as u64 {
            let previous = beside(&path, ".previous");
            fs::rename(&path, &previous).map_err(CassetteError::io("rename", &path))?;
            bodies::sweep(&folder.bodies_of(name), || {
                folder.load_file(&old.0, &previous)
            });
        }
        drop(old);
        Self::open(folder, name)
    }

    /// A cassette of `end` bytes whose next exchange has the ordinal `next`.
    pub(super) fn on(file: Box<dyn Sink>, end: u64, next: u64) -> Self {
        Self {
            file,
            end,
            next,
            broken: false,
        }
    }

    /// The ordinal of the next exchange.
    pub(super) fn next_ordinal(&self) -> u64 {
        self.next
    }

    /// Appends `count` exchanges, all or none, with one write.
    ///
    /// # Errors
    /// Where the disk refuses. What was written is cut off again.
    pub(super) fn append(&mut self, bytes: &[u8], count: u64, sync: bool) -> io::Result<()> {
        let written = self.file.append(bytes).and_then(|()| match sync {
            true => self.file.sync(),
            false => Ok(()),
        });
        if let Err(error) = written {
            self.broken = self.file.truncate(self.end).is_err();
            return Err(error);
        }
        self.end += bytes.len() as u64;
        self.next = self.next.saturating_add(count);
        Ok(())
    }

    /// True where an end could not be cut off: opening the file anew sets it aside.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}

/// Opens and locks a cassette.
fn lock(folder: &Folder, path: &Path) -> Result<Locked, CassetteError> {
    let parent = path.parent().unwrap_or(folder.root());
    open::check_folders(folder.root(), parent)
        .and_then(|()| open::folder(parent))
        .map_err(CassetteError::io("create", parent))?;
    for _ in 0..TRIES {
        let file = open::append(path).map_err(CassetteError::io("open", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => break,
            Err(TryLockError::Error(error)) => return Err(CassetteError::io("lock", path)(error)),
        }
        let file = Locked(file);
        // Another writer may have renamed the file before it was locked here.
        if open::is_at(&file.0, path).map_err(CassetteError::io("read", path))? {
            return Ok(file);
        }
    }
    Err(CassetteError::Locked {
        path: path.to_owned(),
    })
}

/// Moves a torn end to `SESSION.jsons.torn`, behind what is there already.
fn set_aside(file: &mut File, path: &Path, loaded: &Loaded) -> io::Result<()> {
    if loaded.torn.is_none() {
        return Ok(());
    }
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(loaded.whole))?;
    file.read_to_end(&mut tail)?;
    let mut aside = open::append(&beside(path, ".torn"))?;
    aside.write_all(&tail)?;
    aside.sync_all()?;
    file.set_len(loaded.whole)
}

/// What has to stand between the end of a cassette and the first exchange that is appended.
fn start_of_append(file: &mut File, end: u64) -> io::Result<&'static [u8]> {
    let Some(last) = end.checked_sub(1) else {
        return Ok(HEADER.as_bytes());
    };
    let mut byte = [0];
    file.seek(SeekFrom::Start(last))?;
    file.read_exact(&mut byte)?;
    Ok(if byte == [b'\n'] { b"" } else { b"\n" })
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

const TRIES: usize = 8;
