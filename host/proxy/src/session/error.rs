//! Why a session cannot be used.

use ouli_config::ByteSize;

/// Why a session cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The name is not a valid file name.
    #[error("{0}")]
    InvalidName(String),
    /// The limit of sessions is reached.
    #[error("more than {0} sessions (limits.sessions)")]
    TooMany(usize),
    /// The exchanges of the cassette do not fit in the memory.
    #[error(
        "the cassette takes {} of memory, and {} of limits.index_memory ({}) are free; raise the \
         limit, or record fewer exchanges in one session",
        rounded(*needed), rounded(*free), rounded(*limit)
    )]
    IndexMemory {
        /// Bytes that the exchanges take.
        needed: usize,
        /// Bytes that are left.
        free: usize,
        /// The limit.
        limit: usize,
    },
    /// The cassette cannot be used.
    #[error("{0}")]
    Cassette(String),
}

/// A size for a text, in whole KiB.
fn rounded(bytes: usize) -> ByteSize {
    ByteSize((bytes as u64).div_ceil(1024).saturating_mul(1024))
}
