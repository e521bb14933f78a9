//! The settings of a writer.

use std::num::NonZero;
use std::time::Duration;

/// When written exchanges are synced to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before an exchange is acknowledged.
    EveryExchange,
    /// At most this long after an exchange was written.
    Interval(Duration),
    /// On flush and close.
    Close,
}

/// The limits of a writer.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// Maximum number of queued exchanges.
    pub queue: NonZero<usize>,
    /// Maximum number of exchanges that are written as one batch.
    pub max_batch: NonZero<usize>,
    /// A batch takes no further exchange once its bodies and messages have this many bytes.
    pub max_batch_bytes: u64,
    /// Maximum number of open cassettes.
    pub max_open: NonZero<usize>,
    /// Bodies and messages of more bytes than this are stored as files.
    pub inline_limit: u64,
    /// When to sync to the disk.
    pub sync: SyncPolicy,
}
