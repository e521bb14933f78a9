//! What stays of a session that is forgotten, so that it never starts its cassette anew.

/// What stays of a session that is forgotten.
#[derive(Clone, Copy)]
pub(super) struct ForgottenSession {
    /// The run that it was in.
    pub(super) run: u64,
    /// The run that started a new cassette last; 0 if there is none.
    pub(super) rotated_by: u64,
    /// It recorded secrets, which are not known any more.
    pub(super) lost_secrets: bool,
}
