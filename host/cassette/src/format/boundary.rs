//! The boundary between two exchanges.

use memchr::memmem;

/// The start of every exchange that the gateway writes, from the end of the line before it.
///
/// The writer keeps these bytes out of every body. Unless the file was edited, they mark the start
/// of an exchange wherever they occur.
pub(super) const BOUNDARY: &[u8] = b"\n{\n  \"exchange\":";

/// The start of an exchange without the end of the line before it.
pub(super) const EXCHANGE_START: &[u8] = b"{\n  \"exchange\":";

/// The offset of the first exchange that starts after a boundary in `bytes`.
pub(super) fn find_start(bytes: &[u8]) -> Option<usize> {
    memmem::find(bytes, BOUNDARY).map(|found| found + 1)
}

/// The offset of the last exchange that starts after a boundary in `bytes`.
pub(super) fn find_last_start(bytes: &[u8]) -> Option<usize> {
    memmem::rfind(bytes, BOUNDARY).map(|found| found + 1)
}

/// The offsets of all exchanges that start after a boundary in `bytes`.
pub(super) fn find_starts(bytes: &[u8]) -> impl Iterator<Item = usize> {
    memmem::find_iter(bytes, BOUNDARY).map(|found| found + 1)
}
