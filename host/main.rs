//! The program: hands the arguments to the command line and its status back to the system.

use std::process::ExitCode;

fn main() -> ExitCode {
    ouli_gateway::cli::run(std::env::args_os())
}
