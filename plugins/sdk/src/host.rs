//! What the gateway offers to every plugin.

use crate::raw;

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is odd.
    Warn,
    /// Something is worth knowing.
    Info,
    /// Something is worth knowing for the author.
    Debug,
}

/// Writes a line to the gateway's log. Long lines are cut, and a plugin that logs without end is
/// silenced for a while.
pub fn log(level: Level, text: &str) {
    let level = match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
    };
    raw::log(level, text);
}

/// The stand-in for a secret, for example `<token-1>`: in one recording equal secrets get equal
/// stand-ins. The gateway remembers the secret, takes it out of everything else it writes, and
/// refuses a write that still holds it. A class is a lower-case word such as `token` or `e-mail`.
/// Not in `prepare`.
pub fn placeholder(class: &str, secret: impl AsRef<[u8]>) -> String {
    raw::placeholder(class, secret.as_ref())
}

/// A digest of `data`; the algorithm is `sha-256`. Another name ends the call.
#[must_use]
pub fn digest(algorithm: &str, data: impl AsRef<[u8]>) -> Vec<u8> {
    raw::digest(algorithm, data.as_ref())
}
