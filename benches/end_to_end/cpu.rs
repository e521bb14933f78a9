//! The CPU time of a server without its client, from the Linux scheduler.

use std::fs;
use std::path::Path;

/// The CPU time in nanoseconds of the threads of this process with this name prefix; none if it is
/// not available.
///
/// Idle gateways add nothing, so several of them may use the same thread names.
pub(super) fn of_threads(prefix: &str) -> Option<u64> {
    let threads = fs::read_dir("/proc/self/task").ok()?;
    let threads = threads.filter_map(|thread| Some(thread.ok()?.path()));
    let named = threads.filter(|thread| {
        let name = fs::read_to_string(thread.join("comm"));
        name.is_ok_and(|name| name.starts_with(prefix))
    });
    named.map(|thread| run_time(&thread)).sum()
}

/// The CPU time in nanoseconds of single-threaded processes; none if it is not available.
pub(super) fn of_processes(all: &[u32]) -> Option<u64> {
    let all = all.iter();
    all.map(|id| run_time(&Path::new("/proc").join(id.to_string())))
        .sum()
}

/// The child processes of a process.
pub(super) fn children(parent: u32) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .filter_map(|process| {
            let path = process.ok()?.path();
            let id = path.file_name()?.to_str()?.parse().ok()?;
            let stat = fs::read_to_string(path.join("stat")).ok()?;
            // The process name may contain spaces and brackets.
            let (_, rest) = stat.rsplit_once(')')?;
            let of: u32 = rest.split_whitespace().nth(1)?.parse().ok()?;
            (of == parent).then_some(id)
        })
        .collect()
}

fn run_time(task: &Path) -> Option<u64> {
    let counted = fs::read_to_string(task.join("schedstat")).ok()?;
    counted.split_whitespace().next()?.parse().ok()
}
