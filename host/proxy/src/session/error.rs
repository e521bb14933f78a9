//! Why a session cannot be used.

/// Why a session cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The name is not a valid file name.
    #[error("{0}")]
    InvalidName(String),
    /// The limit of sessions is reached.
    #[error("more than {0} sessions (limits.sessions)")]
    TooMany(usize),
    /// The cassette cannot be used.
    #[error("{0}")]
    Cassette(String),
}
