//! The exchanges among which one is chosen.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// The places of a list of exchanges that may be claimed.
pub(super) struct Candidates<'a> {
    pub(super) positions: &'a [usize],
    /// Those before this one are claimed.
    pub(super) from: usize,
    /// The number of those that were returned.
    pub(super) returned: Option<&'a Arc<AtomicUsize>>,
}
