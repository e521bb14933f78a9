//! The process that compiles a plugin for a gateway. It is no command for users.

use std::ffi::OsString;

use crate::exit_status::{EXIT_FAILED, EXIT_OK};
use crate::output::{errln, out_bytes};

/// Compiles if the arguments of the program ask for it. Returns the exit status.
pub(super) fn run(arguments: &[OsString]) -> Option<u8> {
    let (first, rest) = arguments.get(1..)?.split_first()?;
    if first != ouli_plugin::compiler::COMPILER_ARGUMENT {
        return None;
    }
    let rest = rest.iter().map(|one| one.to_string_lossy().into_owned());
    let rest: Vec<_> = rest.collect();
    match ouli_plugin::compiler::run(&rest) {
        Ok(code) => match out_bytes(&code) {
            Ok(()) => Some(EXIT_OK),
            Err(error) => {
                errln!("cannot return the code: {error}");
                Some(EXIT_FAILED)
            }
        },
        Err(reason) => {
            errln!("{reason}");
            Some(EXIT_FAILED)
        }
    }
}
