//! The locks under which secrets are made ready to be searched for, and kept so.

#[cfg(test)]
use std::sync::atomic::AtomicUsize;

use parking_lot::Mutex;

/// Held by the thread that makes secrets ready to be searched for. To encode a long one takes
/// seconds, for which a text that cannot contain it does not wait.
#[derive(Debug, Default)]
pub(super) struct BuildLocks {
    pub(super) short: Mutex<()>,
    pub(super) long: Mutex<()>,
    /// Number of secrets that were encoded.
    #[cfg(test)]
    pub(super) encoded: AtomicUsize,
}

/// Held by the thread that does the work for one registry.
#[derive(Debug, Default)]
pub(super) struct UpkeepLocks {
    pub(super) merging: Mutex<()>,
    pub(super) fingerprinting: Mutex<()>,
}
