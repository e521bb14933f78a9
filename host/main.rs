//! The program: sets up the allocator and runs the command line.

use std::process::ExitCode;

use libmimalloc_sys::{mi_option_get, mi_option_set_default, mi_option_t};

/// mimalloc returns the memory of a burst to the system: ARCHITECTURE.md has measurements.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay`: milliseconds until freed memory is returned to the system.
const PURGE_DELAY: mi_option_t = 15;

fn main() -> ExitCode {
    purge_memory_at_once();
    ouli_gateway::run(std::env::args_os())
}

/// Sets the purge delay to 0. By default mimalloc returns memory after a second, but checks the
/// clock only when it allocates: a gateway that is idle after a burst would keep all of it. The
/// environment variable `MIMALLOC_PURGE_DELAY` takes precedence.
#[expect(
    unsafe_code,
    reason = "no crate has a safe function that sets an option of mimalloc"
)]
fn purge_memory_at_once() {
    // SAFETY: the functions take and return numbers. They must not run concurrently with other
    // threads, and no other thread has started yet.
    unsafe {
        // The default value identifies the option in every version of mimalloc.
        if mi_option_get(PURGE_DELAY) == 1000 {
            mi_option_set_default(PURGE_DELAY, 0);
        }
    }
}
