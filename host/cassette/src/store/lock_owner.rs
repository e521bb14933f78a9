//! Finds the process that has locked a file, in `/proc/locks` of Linux.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

/// The id of the process that holds the lock of a file; `None` if the system does not report it,
/// for example for a process in another container.
pub(crate) fn lock_owner(file: &File) -> Option<u32> {
    let metadata = file.metadata().ok()?;
    let device = (
        rustix::fs::major(metadata.dev()),
        rustix::fs::minor(metadata.dev()),
    );
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locks
        .lines()
        .find_map(|line| parse_lock_line(line, device, metadata.ino()))
}

/// Parses a line such as `1: FLOCK  ADVISORY  WRITE 4711 fd:01:393221 0 EOF` (proc(5)). A line with
/// `->` is a process that waits for the lock.
fn parse_lock_line(line: &str, (major, minor): (u32, u32), inode: u64) -> Option<u32> {
    let mut words = line.split_whitespace().skip(1);
    let (kind, _, _) = (words.next()?, words.next()?, words.next()?);
    let (process, file) = (words.next()?, words.next()?);
    let expected = format!("{major:02x}:{minor:02x}:{inode}");
    let process = process.parse().ok().filter(|id| *id != 0)?;
    (kind == "FLOCK" && file == expected).then_some(process)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_lines_of_proc_locks() {
        let cases = [
            ("1: FLOCK  ADVISORY  WRITE 4711 fd:01:99 0 EOF", Some(4711)),
            ("1: FLOCK  ADVISORY  WRITE 4711 fd:01:98 0 EOF", None),
            ("1: FLOCK  ADVISORY  WRITE 4711 fd:02:99 0 EOF", None),
            ("1: POSIX  ADVISORY  WRITE 4711 fd:01:99 0 EOF", None),
            ("1: -> FLOCK  ADVISORY  WRITE 4712 fd:01:99 0 EOF", None),
            ("1: FLOCK  ADVISORY  WRITE 0 fd:01:99 0 EOF", None),
            ("1: FLOCK", None),
            ("", None),
        ];
        for (line, process) in cases {
            assert_eq!(parse_lock_line(line, (0xfd, 1), 99), process, "{line}");
        }
    }

    #[test]
    fn finds_a_lock_of_this_process() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(lock_owner(&file), None);
        file.lock().unwrap();
        assert_eq!(lock_owner(&file), Some(std::process::id()));
    }
}
