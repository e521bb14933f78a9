//! One cassette open for writing: locked, repaired, and only ever longer by whole exchanges.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::format::decode::Loaded;
use crate::format::encode::HEADER;
use crate::store::error::CassetteError;
use crate::store::folder::Folder;
use crate::store::secure_open::Dir;
use crate::store::session_name::SessionName;
use crate::store::{body_files, lock_owner};

/// A cassette that is open for writing. The lock is on the file itself, so that it leaves no file
/// behind, and goes with it when it is renamed.
pub(crate) struct Appender {
    file: Box<dyn Sink>,
    end: u64,
    next: u64,
    broken: bool,
}

/// What an appender needs of a file.
pub(crate) trait Sink: Send {
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
pub(crate) struct Locked(File);

impl Locked {
    /// Locks the cassette of a session, so that nobody else writes it; none where it has none yet.
    pub(crate) fn existing(
        folder: &Folder,
        name: &SessionName,
    ) -> Result<Option<Self>, CassetteError> {
        let path = folder.path_of(name);
        let parent = path.parent().unwrap_or(folder.root());
        let dir = Dir::open(folder.root(), parent).map_err(CassetteError::io("open", parent))?;
        let Some(dir) = dir else {
            return Ok(None);
        };
        match dir.read(&path).map_err(CassetteError::io("open", &path))? {
            Some(_) => lock(&dir, &path).map(Some),
            None => Ok(None),
        }
    }
}

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
    /// Opens a cassette to append to; creates it where there is none. All of it is read, and a torn
    /// end is set aside.
    pub(crate) fn open(folder: &Folder, name: &SessionName) -> Result<Self, CassetteError> {
        let path = folder.path_of(name);
        let dir = parent_of(folder, &path)?;
        let mut file = lock(&dir, &path)?;
        body_files::remove_unfinished(folder, name);
        let loaded = folder.load_file(&file.0, &path)?;
        set_aside(&dir, &mut file.0, &path, &loaded).map_err(CassetteError::io("repair", &path))?;
        let start = start_of_append(&mut file.0, loaded.whole);
        let start = start.map_err(CassetteError::io("read", &path))?;
        let mut this = Self::on(Box::new(file), loaded.whole, loaded.next_ordinal());
        this.append(start, 0, false)
            .and_then(|()| match loaded.whole {
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
    pub(crate) fn anew(folder: &Folder, name: &SessionName) -> Result<Self, CassetteError> {
        let path = folder.path_of(name);
        let dir = parent_of(folder, &path)?;
        let old = lock(&dir, &path)?;
        let size = old.0.metadata().map_err(CassetteError::io("read", &path))?;
        if size.len() > HEADER.len() as u64 {
            let previous = beside(&path, ".previous");
            dir.rename(&path, &previous)
                .map_err(CassetteError::io("rename", &path))?;
            body_files::sweep(folder, name, || folder.load_file(&old.0, &previous));
        }
        drop(old);
        Self::open(folder, name)
    }

    /// A cassette of `end` bytes whose next exchange has the ordinal `next`.
    pub(crate) fn on(file: Box<dyn Sink>, end: u64, next: u64) -> Self {
        Self {
            file,
            end,
            next,
            broken: false,
        }
    }

    /// The ordinal of the next exchange.
    pub(crate) fn next_ordinal(&self) -> u64 {
        self.next
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
            self.broken |= self.file.truncate(self.end).is_err();
            return Err(error);
        }
        self.end += bytes.len() as u64;
        self.next = self.next.saturating_add(count);
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
fn parent_of(folder: &Folder, path: &Path) -> Result<Dir, CassetteError> {
    let parent = path.parent().unwrap_or(folder.root());
    Dir::create(folder.root(), parent).map_err(CassetteError::io("create", parent))
}

/// Opens and locks a cassette.
fn lock(dir: &Dir, path: &Path) -> Result<Locked, CassetteError> {
    let mut holder = None;
    for _ in 0..TRIES {
        let file = dir.append(path).map_err(CassetteError::io("open", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                holder = lock_owner::of(&file);
                break;
            }
            Err(TryLockError::Error(error)) => return Err(CassetteError::io("lock", path)(error)),
        }
        let file = Locked(file);
        // Another writer may have renamed the file before it was locked here.
        if dir
            .holds(&file.0, path)
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
fn set_aside(dir: &Dir, file: &mut File, path: &Path, loaded: &Loaded) -> io::Result<()> {
    if loaded.torn.is_none() {
        return Ok(());
    }
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(loaded.whole))?;
    file.read_to_end(&mut tail)?;
    let mut aside = dir.append(&beside(path, ".torn"))?;
    let before = aside.metadata()?.len();
    let kept = aside.write_all(&tail).and_then(|()| aside.sync_all());
    kept.or_else(|error| {
        aside.set_len(before)?;
        Err(error)
    })?;
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
