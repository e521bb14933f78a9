//! Errors of decoding and encoding.

use std::io;

use super::coding::Coding;

/// Why a body cannot be decoded or encoded.
#[derive(Debug, thiserror::Error)]
pub enum CodingError {
    /// The coding is not supported.
    #[error("content coding `{0}` is unknown")]
    Unknown(String),
    /// The body has more codings than any legitimate one.
    #[error("more than {MAX_CODINGS} content codings on one body")]
    TooMany,
    /// The decoded body exceeds the size limit.
    #[error("the decoded body is larger than {0} bytes")]
    TooLarge(u64),
    /// The decoded body exceeds the ratio limit, as in a decompression bomb.
    #[error("the decoded body is more than {0} times larger than the encoded body")]
    Ratio(u64),
    /// The body is malformed, truncated or followed by other bytes.
    #[error("the body is not valid {0}")]
    Invalid(&'static str, #[source] io::Error),
}

impl CodingError {
    /// True if a limit was reached, so that nothing is known about the body.
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::TooLarge(_) | Self::Ratio(_))
    }
}

/// Maximum number of codings of one body.
pub const MAX_CODINGS: usize = 4;

pub(super) fn invalid(coding: Coding, error: io::Error) -> CodingError {
    CodingError::Invalid(coding.name(), error)
}
