//! How every file is opened.

use rustix::fs::OFlags;

/// To open a FIFO does not wait, and a terminal does not become the one of the process.
pub(crate) fn open_flags() -> i32 {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    i32::try_from(flags.bits()).unwrap_or_default()
}
