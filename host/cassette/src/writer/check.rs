//! The last check before bytes are written to the disk.

use std::fmt;

use thiserror::Error;

/// Checks bytes before they are written to the disk.
pub trait WriteCheck: fmt::Debug + Send + Sync {
    /// Checks the exact bytes of one exchange, or of one stored body.
    ///
    /// # Errors
    /// If they must not be written.
    fn check(&self, bytes: &[u8]) -> Result<(), CheckRejection>;
}

/// Why a check rejected some bytes. It must not quote them.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{reason}")]
pub struct CheckRejection {
    /// The id of the rule that rejected them.
    pub rule: String,
    /// The reason, for people.
    pub reason: String,
}
