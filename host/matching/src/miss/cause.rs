//! Why a request has no match.

use super::identity_conflict::IdentityConflict;
use super::replayed_secret::ReplayedSecret;

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
    /// No recorded request has its key, and the upstream cannot be asked.
    ReplayedSecret(ReplayedSecret),
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
