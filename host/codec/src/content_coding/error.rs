//! Errors of decoding and encoding.

use std::io;

use super::coding::Coding;

/// Why a body cannot be decoded or encoded.
#[derive(Debug, thiserror::Error)]
pub enum CodingError {
    /// Not one of ours.
    #[error("content coding `{0}` is unknown")]
    Unknown(String),
    /// More layers than anyone needs.
    #[error("more than {MAX_CODINGS} content codings on one body")]
    TooMany,
    /// More comes out than allowed.
    #[error("the decoded body is larger than {0} bytes")]
    TooLarge(u64),
    /// More comes out, for what went in, than an honest sender would send.
    #[error("the decoded body is more than {0} times larger than what was sent")]
    Ratio(u64),
    /// It is not what its coding says, ends too early, or is followed by something else.
    #[error("the body is not valid {0}")]
    Invalid(&'static str, #[source] io::Error),
}

/// The most codings that one body may have.
pub const MAX_CODINGS: usize = 4;

pub(super) fn invalid(coding: Coding, error: io::Error) -> CodingError {
    CodingError::Invalid(coding.name(), error)
}
