//! The program: hands the arguments to the command line and its status back to the system.

use std::process::ExitCode;

use libmimalloc_sys::{mi_option_get, mi_option_set_default, mi_option_t};

/// Memory comes from mimalloc, which gives back what a burst took: ARCHITECTURE.md has the figures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay`: milliseconds until freed memory goes back to the system.
const PURGE_DELAY: mi_option_t = 15;

fn main() -> ExitCode {
    give_memory_back_at_once();
    ouli_cli::run(std::env::args_os())
}

/// mimalloc gives memory back a second later, but looks at its clock only when more is asked for: a
/// gateway that is idle after a burst would keep all of it. `MIMALLOC_PURGE_DELAY` in the
/// environment has precedence.
#[expect(
    unsafe_code,
    reason = "no crate has a safe way to set an option of mimalloc"
)]
fn give_memory_back_at_once() {
    // SAFETY: numbers go in and out. The functions want no other thread, and there is none yet.
    unsafe {
        // By its default it is known to be that option, whatever the version of mimalloc.
        if mi_option_get(PURGE_DELAY) == 1000 {
            mi_option_set_default(PURGE_DELAY, 0);
        }
    }
}
