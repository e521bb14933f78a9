//! A cassette that is open for appending: locked, repaired, and extended by complete exchanges
//! only.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::check::WriteCheck;
use super::locked_file::{AppendFile, LockedFile, open_locked, open_parent, with_suffix};
use super::masking;
use super::sorting;
use crate::format::{HEADER, LoadedCassette};
use crate::store::{
    self, CassetteDir, CassetteError, Dir, FileStamp, SessionName, own_suffixes, recording_marker,
};

/// A cassette that is open for appending. The lock is on the file itself: no lock file remains, and
/// the lock follows the file when it is renamed.
pub(super) struct Appender {
    file: Box<dyn AppendFile>,
    file_length: u64,
    next_ordinal: u64,
    needs_reopen: bool,
    /// The state of the file after the last write.
    stamp: Option<FileStamp>,
}

impl Appender {
    /// Opens a cassette for appending, or creates it. Reads the last exchange, and all of them only
    /// if that one is not whole or was edited. Moves a torn tail to `SESSION.jsons.torn`.
    pub(super) fn open(folder: &CassetteDir, name: &SessionName) -> Result<Self, CassetteError> {
        Self::open_and_repair(folder, name, false)
    }

    /// As [`Self::open`], for a cassette that is marked as incomplete.
    pub(super) fn open_to_record(
        folder: &CassetteDir,
        name: &SessionName,
    ) -> Result<Self, CassetteError> {
        Self::open_and_repair(folder, name, true)
    }

    fn open_and_repair(
        folder: &CassetteDir,
        name: &SessionName,
        is_recording: bool,
    ) -> Result<Self, CassetteError> {
        let path = folder.cassette_path(name);
        let dir = open_parent(folder, &path)?;
        let mut file = open_locked(&dir, &path)?;
        store::remove_temp_files(folder, name);
        let whole = file.whole_end(folder.max_file_size());
        let (length, last) = match whole.map_err(CassetteError::io("read", &path))? {
            Some(end) => end,
            None => repair((&dir, folder), &mut file, &path, is_recording)?,
        };
        let separator = leading_separator(&mut file.0, length);
        let separator = separator.map_err(CassetteError::io("read", &path))?;
        let mut appender = Self::with_file(Box::new(file), length, last.saturating_add(1));
        appender
            .append(separator, 0, false)
            .and_then(|()| match length {
                0 => dir.sync(),
                _ => Ok(()),
            })
            .map_err(CassetteError::io("write", &path))?;
        Ok(appender)
    }

    /// An appender for a file of `file_length` bytes.
    pub(super) fn with_file(
        file: Box<dyn AppendFile>,
        file_length: u64,
        next_ordinal: u64,
    ) -> Self {
        Self {
            stamp: file.stamp(),
            file,
            file_length,
            next_ordinal,
            needs_reopen: false,
        }
    }

    /// The ordinal of the next exchange.
    pub(super) fn next_ordinal(&self) -> u64 {
        self.next_ordinal
    }

    /// Appends `count` exchanges, all or none, with one write.
    ///
    /// # Errors
    /// If the write or the sync fails. The file is truncated to its previous length.
    pub(super) fn append(&mut self, bytes: &[u8], count: u64, sync: bool) -> io::Result<()> {
        let written = self.file.append(bytes).and_then(|()| match sync {
            true => self.sync(),
            false => Ok(()),
        });
        if let Err(error) = written {
            self.needs_reopen |= self.file.truncate(self.file_length).is_err();
            return Err(error);
        }
        self.file_length += bytes.len() as u64;
        self.next_ordinal = self.next_ordinal.saturating_add(count);
        self.stamp = self.file.stamp();
        Ok(())
    }

    /// The state of the file after the last write.
    pub(super) fn stamp(&self) -> Option<FileStamp> {
        self.stamp
    }

    /// True if another program has removed the file at `path`. It is still open here.
    pub(super) fn was_removed(&self, path: &Path) -> bool {
        let found = path.symlink_metadata();
        self.file.stamp().is_some()
            && found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    /// Writes the file that was removed anew at its path, and goes on there.
    ///
    /// # Errors
    /// If it cannot be written. Nothing of it remains, and this one stays open.
    pub(super) fn restore(&mut self, dir: &Dir, path: &Path) -> io::Result<()> {
        let mut restored = open_locked(dir, path).map_err(io::Error::other)?;
        if restored.size()? > 0 {
            // Another program was faster. What it wrote is read before the next exchange.
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let copied = self.file.copy_to(&mut restored.0, self.file_length);
        let copied = copied.and_then(|()| restored.0.sync_all());
        if let Err(error) = copied.and_then(|()| dir.sync()) {
            // If this fails too, the rest is read again as a torn tail.
            let _ = dir.remove(path);
            return Err(error);
        }
        self.file = Box::new(restored);
        self.stamp = self.file.stamp();
        Ok(())
    }

    /// Writes the cassette anew in the order in which its requests began, and goes on there. False
    /// if it is in that order.
    ///
    /// # Errors
    /// If it cannot be written. It stays as it is.
    pub(super) fn sort(&mut self, dir: &Dir, path: &Path, max_size: u64) -> io::Result<bool> {
        let Some(file) = self.file.file() else {
            return Ok(false);
        };
        let Some(sorted) = sorting::rewrite(dir, path, file, max_size)? else {
            return Ok(false);
        };
        self.continue_in(sorted)?;
        Ok(true)
    }

    /// Masks secrets that were found after they had been written. Returns the number of exchanges
    /// that still have one.
    ///
    /// # Errors
    /// If it cannot be written. It stays as it is.
    pub(super) fn mask(
        &mut self,
        place: (&Dir, &Path),
        session: (&CassetteDir, &SessionName),
        check: &dyn WriteCheck,
    ) -> io::Result<u64> {
        let Some(file) = self.file.file() else {
            return Ok(0);
        };
        let masked = masking::rewrite(place, file, session, check)?;
        if let Some(file) = masked.file {
            self.continue_in(file)?;
        }
        Ok(masked.left)
    }

    /// The cassette was written anew.
    fn continue_in(&mut self, file: LockedFile) -> io::Result<()> {
        self.file_length = file.size()?;
        self.file = Box::new(file);
        self.stamp = self.file.stamp();
        Ok(())
    }

    /// True if another program has replaced the file at `path`, or has written to it. What is
    /// appended to a file that was replaced would be lost.
    pub(super) fn was_changed(&self, path: &Path) -> bool {
        let Some(own) = self.file.stamp() else {
            return false;
        };
        let current = path.symlink_metadata().ok().map(|it| FileStamp::from(&it));
        own.size() != self.file_length || current.is_some_and(|it| !it.is_same_file(own))
    }

    /// True if the file has to be reopened, which reads all of it and repairs a torn tail: it could
    /// not be truncated, or a sync failed.
    pub(super) fn needs_reopen(&self) -> bool {
        self.needs_reopen
    }

    /// Syncs the file to the disk.
    ///
    /// # Errors
    /// If the sync fails. The file has to be reopened: the kernel may have dropped the dirty pages,
    /// and would then report a second sync as a success.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync().inspect_err(|_| self.needs_reopen = true)
    }
}

/// Reads all of a cassette and moves a torn tail to `SESSION.jsons.torn`. Returns the length of the
/// rest and the highest ordinal.
fn repair(
    (dir, folder): (&Dir, &CassetteDir),
    file: &mut LockedFile,
    path: &Path,
    is_recording: bool,
) -> Result<(u64, u64), CassetteError> {
    let loaded = file.load(folder, path)?;
    save_torn_tail(dir, file, path, &loaded).map_err(CassetteError::io("repair", path))?;
    if !is_recording && loaded.exchanges.is_empty() {
        // The marker is of a cassette that has no exchange.
        let cleared = recording_marker::clear(dir, path);
        cleared.map_err(CassetteError::io("mark", path))?;
    }
    let highest = loaded.next_ordinal().saturating_sub(1);
    Ok((loaded.valid_length, highest))
}

/// Appends a torn tail to `SESSION.jsons.torn`. The cassette is truncated only after the tail is
/// synced there.
pub(super) fn save_torn_tail(
    dir: &Dir,
    LockedFile(file): &mut LockedFile,
    path: &Path,
    loaded: &LoadedCassette,
) -> io::Result<()> {
    let Some(damage) = &loaded.torn_tail else {
        return Ok(());
    };
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(loaded.valid_length))?;
    file.read_to_end(&mut tail)?;
    let mut torn_file = dir.open_append(&with_suffix(path, own_suffixes::TORN))?;
    let length = torn_file.metadata()?.len();
    torn_file
        .write_all(&tail)
        .and_then(|()| torn_file.sync_all())
        .or_else(|error| {
            torn_file.set_len(length)?;
            Err(error)
        })?;
    file.set_len(loaded.valid_length)?;
    let torn = with_suffix(path, own_suffixes::TORN);
    tracing::warn!(
        "the torn end of the cassette was moved to {}: {damage}",
        torn.display()
    );
    Ok(())
}

/// The bytes to write between the end of a cassette and the first appended exchange: the header of
/// a new cassette, or a missing line end.
fn leading_separator(file: &mut File, length: u64) -> io::Result<&'static [u8]> {
    let Some(last) = length.checked_sub(1) else {
        return Ok(HEADER.as_bytes());
    };
    let mut byte = [0];
    file.seek(SeekFrom::Start(last))?;
    file.read_exact(&mut byte)?;
    Ok(if byte == [b'\n'] { b"" } else { b"\n" })
}
