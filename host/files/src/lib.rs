//! Reads files that users and other programs write: regular files only, and never more than a size.
//!
//! A path may lead to anything. To open a FIFO waits for its writer, and a device may have no end.

#![forbid(unsafe_code)]

mod kernel_file;
mod open_flags;
mod read;
mod write;

pub use kernel_file::is_of_kernel;
pub use read::{open, read, read_text};
pub use write::{check_writable, write};
