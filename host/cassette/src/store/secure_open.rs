//! Opens files to be written safely: from folder to folder, never through a symbolic link, and only
//! regular files.
//!
//! Every step is relative to an open folder, so that no link can be put in its way between the
//! check and the use.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// An open folder.
#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

/// Creates a folder and its parents, accessible only to their owner regardless of the umask. An
/// existing folder is not changed.
///
/// # Errors
/// If a folder cannot be created.
pub(super) fn create_root(path: &Path) -> Result<()> {
    let missing: Vec<_> = path
        .ancestors()
        .take_while(|part| !part.as_os_str().is_empty() && !part.exists())
        .collect();
    for part in missing.into_iter().rev() {
        match DirBuilder::new().mode(PRIVATE_FOLDER).create(part) {
            Ok(()) => fs::set_permissions(part, Permissions::from_mode(PRIVATE_FOLDER))?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists && part.is_dir() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Dir {
    /// Opens the folder `path`, which is `root` or below it; `None` if it does not exist. The path
    /// of `root` is chosen by the user and may contain links.
    ///
    /// # Errors
    /// If a part below `root` is a symbolic link, is not a folder, or cannot be opened.
    pub(crate) fn open(root: &Path, path: &Path) -> Result<Option<Self>> {
        let open = Self::walk(root, path, |dir, name| dir.open_child(name));
        match open {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            open => open.map(Some),
        }
    }

    /// Opens a folder, and creates missing folders, accessible only to their owner.
    ///
    /// # Errors
    /// As [`Self::open`]; also if a folder cannot be created.
    pub(crate) fn create(root: &Path, path: &Path) -> Result<Self> {
        create_root(root)?;
        Self::walk(root, path, |dir, name| {
            match rustix::fs::mkdirat(&dir.fd, name, Mode::from(PRIVATE_FOLDER)) {
                Ok(()) => {
                    let created = dir.open_child(name)?;
                    rustix::fs::fchmod(&created.fd, Mode::from(PRIVATE_FOLDER))?;
                    Ok(created)
                }
                Err(Errno::EXIST) => dir.open_child(name),
                Err(error) => Err(error.into()),
            }
        })
    }

    fn walk(
        root: &Path,
        path: &Path,
        mut step: impl FnMut(&Self, &str) -> Result<Self>,
    ) -> Result<Self> {
        let fd = rustix::fs::open(root, DIR_FLAGS, Mode::empty())?;
        let mut dir = Self {
            fd,
            path: root.to_owned(),
        };
        let below = path.strip_prefix(root);
        for part in below.map_err(|_| invalid_input(path, "outside of the cassettes folder"))? {
            dir = step(&dir, valid_name(part.as_ref())?)?;
        }
        Ok(dir)
    }

    fn open_child(&self, name: &str) -> Result<Self> {
        let path = self.path.join(name);
        let flags = DIR_FLAGS | OFlags::NOFOLLOW;
        match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path }),
            Err(Errno::NOTDIR | Errno::LOOP) => Err(match self.stat(&path)? {
                Some(stat) if is_link(&stat) => invalid_input(&path, LINK),
                Some(_) | None => invalid_input(&path, "not a folder"),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a file for reading; `None` if it does not exist.
    ///
    /// # Errors
    /// If it cannot be opened or is not a regular file.
    pub(crate) fn open_read(&self, path: &Path) -> Result<Option<File>> {
        let found = self.stat_regular(path)?;
        found
            .map(|_| self.open_regular(path, OFlags::RDONLY))
            .transpose()
    }

    /// Opens a file for reading and appending. Creates it, accessible only to its owner, if it does
    /// not exist.
    ///
    /// # Errors
    /// If it cannot be opened or created, is not a regular file, or has a second hard link:
    /// appending would also change a file outside of the folder.
    pub(crate) fn open_append(&self, path: &Path) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::APPEND;
        if self.stat_regular(path)?.is_none() {
            return self.create_file(path, flags);
        }
        let file = self.open_regular(path, flags)?;
        if file.metadata()?.nlink() > 1 {
            return Err(invalid_input(
                path,
                "a file with several hard links, which would all change: replace it by a copy",
            ));
        }
        Ok(file)
    }

    /// Creates a file for writing, accessible only to its owner.
    ///
    /// # Errors
    /// If it exists or cannot be created.
    pub(super) fn create_new(&self, path: &Path) -> Result<File> {
        self.create_file(path, OFlags::WRONLY)
    }

    /// Renames a file within this folder, and replaces an existing file of that name. A symbolic
    /// link of that name is replaced, not followed.
    ///
    /// # Errors
    /// If the file cannot be renamed.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let (from, to) = (file_name(from)?, file_name(to)?);
        Ok(rustix::fs::renameat(&self.fd, from, &self.fd, to)?)
    }

    /// True if this folder has an entry of this name.
    ///
    /// # Errors
    /// If the folder cannot be searched.
    pub(crate) fn has(&self, path: &Path) -> Result<bool> {
        Ok(self.stat(path)?.is_some())
    }

    /// Removes a file of this folder.
    ///
    /// # Errors
    /// If it does not exist or cannot be removed.
    pub(crate) fn remove(&self, path: &Path) -> Result<()> {
        Ok(rustix::fs::unlinkat(
            &self.fd,
            file_name(path)?,
            AtFlags::empty(),
        )?)
    }

    /// The entries of this folder whose names are valid UTF-8.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            if let Ok(name) = entry?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// True if `path` still refers to `file`.
    ///
    /// # Errors
    /// If the metadata of either cannot be read.
    pub(crate) fn is_current(&self, file: &File, path: &Path) -> Result<bool> {
        let current = self.stat(path)?;
        let opened = rustix::fs::fstat(file)?;
        Ok(current.is_some_and(|current| is_same_file(&opened, &current)))
    }

    /// Syncs the entries of this folder to the disk.
    ///
    /// # Errors
    /// If the sync fails.
    pub(crate) fn sync(&self) -> Result<()> {
        Ok(rustix::fs::fsync(&self.fd)?)
    }

    fn stat(&self, path: &Path) -> Result<Option<Stat>> {
        match rustix::fs::statat(&self.fd, file_name(path)?, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Checks the type before the file is opened: opening a device may have side effects.
    fn stat_regular(&self, path: &Path) -> Result<Option<Stat>> {
        match self.stat(path)? {
            Some(stat) if is_regular(&stat) => Ok(Some(stat)),
            Some(stat) if is_link(&stat) => Err(invalid_input(path, LINK)),
            Some(_) => Err(invalid_input(path, "not a regular file")),
            None => Ok(None),
        }
    }

    /// Checks the type again, because the file may have been replaced in between. It is opened
    /// without blocking, because opening a FIFO may block forever.
    fn open_regular(&self, path: &Path, flags: OFlags) -> Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.fd, file_name(path)?, flags, Mode::empty()) {
            Ok(fd) if is_regular(&rustix::fs::fstat(&fd)?) => Ok(File::from(fd)),
            Ok(_) => Err(invalid_input(path, "not a regular file")),
            Err(Errno::LOOP) => Err(invalid_input(path, LINK)),
            Err(error) => Err(error.into()),
        }
    }

    fn create_file(&self, path: &Path, flags: OFlags) -> Result<File> {
        let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, file_name(path)?, flags, Mode::from(PRIVATE_FILE))?;
        // The umask may have removed permissions of the owner.
        rustix::fs::fchmod(&fd, Mode::from(PRIVATE_FILE))?;
        Ok(File::from(fd))
    }
}

/// The last component of a path.
fn file_name(path: &Path) -> Result<&str> {
    valid_name(path.file_name().map_or(Path::new(""), Path::new))
}

fn valid_name(part: &Path) -> Result<&str> {
    part.to_str()
        .filter(|name| !matches!(*name, "" | "." | ".."))
        .ok_or_else(|| invalid_input(part, "not a valid file name"))
}

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

fn is_link(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}

fn is_same_file(left: &Stat, right: &Stat) -> bool {
    (left.st_dev, left.st_ino) == (right.st_dev, right.st_ino)
}

pub(super) fn invalid_input(path: &Path, problem: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!("{} is {problem}", path.display()),
    )
}

const LINK: &str = "a symbolic link, which is read and never written: replace it by a copy of its \
                    target, or choose another session (--session NAME)";
const DIR_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);
const PRIVATE_FOLDER: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;
