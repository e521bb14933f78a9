//! The CPU time of a server without its client, as the Linux scheduler counts it.

use std::fs;
use std::path::Path;

/// Nanoseconds of all threads of this process whose names begin so; none where nobody counts.
///
/// Gateways that are idle meanwhile add nothing, so that threads of one name may be many's.
pub(super) fn of_threads(prefix: &str) -> Option<u64> {
    let threads = fs::read_dir("/proc/self/task").ok()?;
    let threads = threads.filter_map(|thread| Some(thread.ok()?.path()));
    let named = threads.filter(|thread| {
        let name = fs::read_to_string(thread.join("comm"));
        name.is_ok_and(|name| name.starts_with(prefix))
    });
    named.map(|thread| run_time(&thread)).sum()
}

/// Nanoseconds of some processes of one thread each; none where nobody counts.
pub(super) fn of_processes(all: &[u32]) -> Option<u64> {
    let all = all.iter();
    all.map(|id| run_time(&Path::new("/proc").join(id.to_string())))
        .sum()
}

/// The processes that one process started.
pub(super) fn children(parent: u32) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .filter_map(|process| {
            let path = process.ok()?.path();
            let id = path.file_name()?.to_str()?.parse().ok()?;
            let stat = fs::read_to_string(path.join("stat")).ok()?;
            // The name before may hold anything, spaces and brackets included.
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
