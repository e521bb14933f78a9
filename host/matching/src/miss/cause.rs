//! Why a request has no match.

use super::identity_conflict::IdentityConflict;

/// Why a request has no match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The session has no cassette.
    NoCassette,
    /// The session's cassette holds no exchange.
    Empty,
    /// No recorded request has its key.
    NoMatch,
    /// Recorded requests have its key, but other secrets.
    OtherIdentity(IdentityConflict),
    /// A recorded request has its key, but the exchange was edited, which `strict` refuses.
    Edited {
        /// The number of the exchange.
        exchange: u64,
    },
    /// Recorded requests have its key, but all were replayed, and the last one is not repeated.
    Exhausted {
        /// Number of recorded requests with its key.
        recorded: usize,
    },
}
