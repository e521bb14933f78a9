//! Reads a file whole.

use std::fs::{File, FileType, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::open_flags::open_flags;

/// Opens a regular file for reading. Symbolic links are followed. It never waits.
///
/// # Errors
/// If it cannot be opened, or is not a regular file.
pub fn open(path: &Path) -> Result<File> {
    // Before it is opened: to open a device may have side effects.
    check_regular(std::fs::metadata(path)?.file_type())?;
    // Not blocking: it may have been replaced by a FIFO in between.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(open_flags())
        .open(path)?;
    check_regular(file.metadata()?.file_type())?;
    Ok(file)
}

/// The content of a regular file of at most `max_size` bytes.
///
/// # Errors
/// As [`open`], and if the file cannot be read or is larger.
pub fn read(path: &Path, max_size: usize) -> Result<Vec<u8>> {
    let file = open(path)?;
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if size > max_size {
        return Err(too_large(max_size));
    }
    let mut bytes = Vec::with_capacity(size);
    // It may grow while it is read.
    file.take(max_size as u64 + 1).read_to_end(&mut bytes)?;
    match bytes.len() > max_size {
        true => Err(too_large(max_size)),
        false => Ok(bytes),
    }
}

/// The text of a regular file of at most `max_size` bytes.
///
/// # Errors
/// As [`read`], and if the file is not UTF-8.
pub fn read_text(path: &Path, max_size: usize) -> Result<String> {
    let text = String::from_utf8(read(path, max_size)?);
    text.map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}

fn check_regular(file_type: FileType) -> Result<()> {
    if file_type.is_file() {
        return Ok(());
    }
    let kind = if file_type.is_dir() {
        return Err(Error::new(
            ErrorKind::IsADirectory,
            "it is a folder; name a file",
        ));
    } else if file_type.is_fifo() {
        "a FIFO"
    } else if file_type.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    let reason = format!("it is {kind}; name a regular file, which can be read again");
    Err(Error::new(ErrorKind::InvalidInput, reason))
}

fn too_large(max_size: usize) -> Error {
    let reason = format!("it is larger than {max_size} bytes");
    Error::new(ErrorKind::FileTooLarge, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType as Kind, Mode, mknodat};
    use std::os::unix::fs::symlink;

    fn reason(path: &Path) -> String {
        read(path, 10).unwrap_err().to_string()
    }

    #[test]
    fn reads_regular_files_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "0123456789").unwrap();
        symlink("file", at("link")).unwrap();
        assert_eq!(read_text(&at("link"), 10).unwrap(), "0123456789");
        mknodat(CWD, at("fifo"), Kind::Fifo, Mode::RUSR, 0).unwrap();
        symlink("/dev/zero", at("zero")).unwrap();
        std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        assert!(reason(&at("fifo")).contains("a FIFO"));
        assert!(reason(&at("zero")).contains("a device"));
        assert!(reason(&at("socket")).contains("a socket"));
        assert!(reason(folder.path()).contains("a folder"));
        let missing = read(&at("missing"), 10).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_larger_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        let file = File::create(&path).unwrap();
        file.set_len(1 << 40).unwrap();
        assert_eq!(reason(&path), "it is larger than 10 bytes");
        std::fs::write(&path, [0xff]).unwrap();
        assert!(
            read_text(&path, 10)
                .unwrap_err()
                .to_string()
                .contains("UTF-8")
        );
    }
}
