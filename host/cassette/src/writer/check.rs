//! The last check before bytes are written to the disk.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use thiserror::Error;

use super::large_bodies::LargeBody;
use ouli_message::Exchange;

/// Checks bytes before they are written to the disk.
pub trait WriteCheck: fmt::Debug + Send + Sync {
    /// Checks the exact bytes of one exchange, or of one stored body.
    ///
    /// # Errors
    /// If they must not be written.
    fn check(&self, bytes: &[u8]) -> Result<(), CheckRejection>;

    /// An exchange that was written, without the secrets that are known now; none if it cannot be
    /// masked.
    fn mask(&self, _exchange: &Exchange) -> Option<Exchange> {
        None
    }
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

/// Checks the text of an exchange and its large bodies.
pub(super) fn check_all(
    check: &dyn WriteCheck,
    text: &[u8],
    large: &[LargeBody],
) -> Result<(), CheckRejection> {
    let check_all = || {
        check.check(text)?;
        large.iter().try_for_each(|(_, bytes)| check.check(bytes))
    };
    // A check that panics counts as a rejection.
    catch_unwind(AssertUnwindSafe(check_all)).unwrap_or_else(|_| {
        Err(CheckRejection {
            rule: "check".to_owned(),
            reason: "the check panicked".to_owned(),
        })
    })
}
