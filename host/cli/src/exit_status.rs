//! The exit status of the program.

use crate::output::err_lines;

/// Success.
pub(crate) const EXIT_OK: u8 = 0;

/// A verdict, a test case or the demo failed.
pub(crate) const EXIT_FAILED: u8 = 1;

/// The usage, the configuration or a file is invalid.
pub(crate) const EXIT_USAGE: u8 = 2;

/// Prints the error; returns [`EXIT_USAGE`].
pub(crate) fn usage_error(reason: &str) -> u8 {
    err_lines(&format!("ouli-gateway: {reason}"));
    EXIT_USAGE
}
