//! The program: hands the arguments to the command line and its status back to the system.

use std::process::ExitCode;

/// Memory comes from mimalloc, which gives back what a burst took: ARCHITECTURE.md has the figures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ouli_gateway::cli::run(std::env::args_os())
}
