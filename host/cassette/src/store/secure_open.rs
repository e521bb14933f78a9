//! Opening files without being led astray: from folder to folder, never through a symbolic link,
//! and only regular files.
//!
//! Every step starts at a folder that is open already, so that nobody can put a link in its way
//! between a look at it and its use.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// A folder that is open.
#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

/// Creates a folder for its owner alone, whatever the umask, with those above it; one that exists
/// stays as it is.
///
/// # Errors
/// Where it cannot be created.
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
    /// The folder `path`, which is `root` or below it; none where it does not exist. What leads to
    /// `root` is the user's own choice and may have links.
    ///
    /// # Errors
    /// Where a part below `root` is a symbolic link or no folder, or cannot be opened.
    pub(crate) fn open(root: &Path, path: &Path) -> Result<Option<Self>> {
        let open = Self::walk(root, path, |dir, name| dir.open_child(name));
        match open {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            open => open.map(Some),
        }
    }

    /// The same; folders that do not exist are created for their owner alone.
    ///
    /// # Errors
    /// As [`Self::open`], and where a folder cannot be created.
    pub(crate) fn create(root: &Path, path: &Path) -> Result<Self> {
        create_root(root)?;
        Self::walk(root, path, |dir, name| {
            match rustix::fs::mkdirat(&dir.fd, name, Mode::from(PRIVATE_FOLDER)) {
                Ok(()) => {
                    let made = dir.open_child(name)?;
                    rustix::fs::fchmod(&made.fd, Mode::from(PRIVATE_FOLDER))?;
                    Ok(made)
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
        for part in below.map_err(|_| invalid_input(path, "outside of the folder"))? {
            dir = step(&dir, valid_name(part.as_ref())?)?;
        }
        Ok(dir)
    }

    fn open_child(&self, name: &str) -> Result<Self> {
        let path = self.path.join(name);
        let flags = DIR_FLAGS | OFlags::NOFOLLOW;
        match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path }),
            Err(Errno::NOTDIR | Errno::LOOP) => Err(invalid_input(&path, "not a folder")),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a file for reading; none where there is none.
    ///
    /// # Errors
    /// Where it cannot be opened or is not a regular file.
    pub(crate) fn open_read(&self, path: &Path) -> Result<Option<File>> {
        let found = self.stat_regular(path)?;
        found
            .map(|_| self.open_regular(path, OFlags::RDONLY))
            .transpose()
    }

    /// Opens a file for reading and for appending; creates it for its owner alone where there is
    /// none.
    ///
    /// # Errors
    /// Where it cannot be opened or created, is not a regular file, or has a second name: then what
    /// is appended would also be in a file that somebody put elsewhere.
    pub(crate) fn open_append(&self, path: &Path) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::APPEND;
        if self.stat_regular(path)?.is_none() {
            return self.create_file(path, flags);
        }
        let file = self.open_regular(path, flags)?;
        if file.metadata()?.nlink() > 1 {
            return Err(invalid_input(
                path,
                "a hard link, whose other names would change with it: copy it in its place",
            ));
        }
        Ok(file)
    }

    /// Creates a file for its owner alone, to write.
    ///
    /// # Errors
    /// Where there is one, and where the disk refuses.
    pub(super) fn create_new(&self, path: &Path) -> Result<File> {
        self.create_file(path, OFlags::WRONLY)
    }

    /// Gives a file of this folder another name in it, in place of what has that name. A symbolic
    /// link that has it is replaced itself.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let (from, to) = (file_name(from)?, file_name(to)?);
        Ok(rustix::fs::renameat(&self.fd, from, &self.fd, to)?)
    }

    /// Removes a file of this folder.
    ///
    /// # Errors
    /// Where there is none, and where the disk refuses.
    pub(super) fn remove(&self, path: &Path) -> Result<()> {
        Ok(rustix::fs::unlinkat(
            &self.fd,
            file_name(path)?,
            AtFlags::empty(),
        )?)
    }

    /// The names in this folder that are text.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            if let Ok(name) = entry?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// True where `file` is what `path` names now.
    ///
    /// # Errors
    /// Where either cannot be looked at.
    pub(crate) fn is_current(&self, file: &File, path: &Path) -> Result<bool> {
        let there = self.stat(path)?;
        let here = rustix::fs::fstat(file)?;
        Ok(there.is_some_and(|there| same(&here, &there)))
    }

    /// Waits until the names in this folder are on the disk.
    ///
    /// # Errors
    /// Where the disk refuses.
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

    /// What is not a regular file is not even opened: a device may act on that.
    fn stat_regular(&self, path: &Path) -> Result<Option<Stat>> {
        match self.stat(path)? {
            Some(stat) if is_regular(&stat) => Ok(Some(stat)),
            Some(_) => Err(invalid_input(path, "not a regular file")),
            None => Ok(None),
        }
    }

    /// The second look is for a file that was changed for another in between; without waiting,
    /// because opening a FIFO may last for ever.
    fn open_regular(&self, path: &Path, flags: OFlags) -> Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.fd, file_name(path)?, flags, Mode::empty()) {
            Ok(fd) if is_regular(&rustix::fs::fstat(&fd)?) => Ok(File::from(fd)),
            Ok(_) | Err(Errno::LOOP) => Err(invalid_input(path, "not a regular file")),
            Err(error) => Err(error.into()),
        }
    }

    fn create_file(&self, path: &Path, flags: OFlags) -> Result<File> {
        let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, file_name(path)?, flags, Mode::from(PRIVATE_FILE))?;
        // The umask may have taken from the owner too.
        rustix::fs::fchmod(&fd, Mode::from(PRIVATE_FILE))?;
        Ok(File::from(fd))
    }
}

/// The name of a file in its folder.
fn file_name(path: &Path) -> Result<&str> {
    valid_name(path.file_name().map_or(Path::new(""), Path::new))
}

fn valid_name(part: &Path) -> Result<&str> {
    part.to_str()
        .filter(|name| !matches!(*name, "" | "." | ".."))
        .ok_or_else(|| invalid_input(part, "no name of a file"))
}

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

fn same(left: &Stat, right: &Stat) -> bool {
    (left.st_dev, left.st_ino) == (right.st_dev, right.st_ino)
}

fn invalid_input(path: &Path, why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!("{} is {why}", path.display()),
    )
}

const DIR_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);
const PRIVATE_FOLDER: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;
