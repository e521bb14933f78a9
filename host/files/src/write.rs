//! Writes a file whole, also into a FIFO, without waiting for a reader that never comes.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Result, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::open_flags::open_flags;

/// How long a reader of a FIFO may take until it reads on.
const READER_TIMEOUT: Duration = Duration::from_secs(1);

/// How often the FIFO is tried.
const RETRY_INTERVAL: Duration = Duration::from_millis(5);

/// Checks that a file can be written. An existing one is not changed, and none is left behind. A
/// FIFO may get its reader later.
///
/// # Errors
/// Why it cannot be written.
pub fn check_writable(path: &Path) -> Result<()> {
    let exists = path.exists();
    match open(OpenOptions::new().append(true).create(true), path) {
        Err(error) if is_without_reader(&error) => {}
        opened => drop(opened?),
    }
    if !exists {
        // What cannot be removed is overwritten by the write.
        let _ = fs::remove_file(path);
    }
    Ok(())
}

/// Writes the bytes to a file, in place of its content.
///
/// # Errors
/// If it cannot be opened or written, or if the reader of a FIFO does not read.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let opened = open(
        OpenOptions::new().write(true).create(true).truncate(true),
        path,
    );
    let mut file = opened.map_err(|error| match is_without_reader(&error) {
        true => Error::new(error.kind(), "it is a FIFO that no program reads"),
        false => error,
    })?;
    let mut rest = bytes;
    let mut progress = Instant::now();
    while !rest.is_empty() {
        match file.write(rest) {
            Ok(count) => {
                rest = &rest[count..];
                progress = Instant::now();
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if progress.elapsed() >= READER_TIMEOUT {
                    let reason = format!("its reader did not read for {READER_TIMEOUT:?}");
                    return Err(Error::new(ErrorKind::TimedOut, reason));
                }
                std::thread::sleep(RETRY_INTERVAL);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn open(options: &mut OpenOptions, path: &Path) -> Result<File> {
    options.custom_flags(open_flags()).open(path)
}

/// True for the error of a FIFO that is opened for writing and has no reader (open(2)).
fn is_without_reader(error: &Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::io::Read as _;

    #[test]
    fn a_fifo_is_written_to_a_program_that_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        check_writable(&path).unwrap();
        let refused = write(&path, b"x").unwrap_err().to_string();
        assert!(refused.contains("no program reads"), "{refused}");
        let mut options = OpenOptions::new();
        let mut reader = open(options.read(true), &path).unwrap();
        write(&path, b"a report").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a report");
        // More than the FIFO holds, and nobody reads.
        let stuck = write(&path, &vec![0; 1 << 20]).unwrap_err();
        assert_eq!(stuck.kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn a_check_leaves_no_file_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        check_writable(&path).unwrap();
        assert!(!path.exists());
        write(&path, b"{}").unwrap();
        check_writable(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{}");
        assert!(check_writable(&folder.path().join("no/folder")).is_err());
    }
}
