//! Functions that the gateway provides to every plugin.

use crate::raw;

/// The level of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A failure.
    Error,
    /// Something unexpected.
    Warn,
    /// Information for the user.
    Info,
    /// Information for the author of the plugin.
    Debug,
}

/// Writes a line to the gateway's log. Long lines are cut, and lines above a limit per second are
/// dropped.
pub fn log(level: Level, text: &str) {
    let level = match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
    };
    raw::log(level, text);
}

/// The placeholder for a secret, for example `<token-1>`. In one recording equal secrets get equal
/// placeholders. The gateway removes the secret from everything else that it writes, and rejects a
/// write that still contains it. A class is a lower-case word such as `token` or `e-mail`. Not
/// allowed in `prepare`.
pub fn placeholder(class: &str, secret: impl AsRef<[u8]>) -> String {
    raw::placeholder(class, secret.as_ref())
}

/// A digest of `data`. The algorithm is `sha-256`; another name ends the call with an error.
#[must_use]
pub fn digest(algorithm: &str, data: impl AsRef<[u8]>) -> Vec<u8> {
    raw::digest(algorithm, data.as_ref())
}
