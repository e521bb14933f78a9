//! Limits of decoding.

/// Limits of a decoded body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Maximum size in bytes.
    pub bytes: u64,
    /// Maximum ratio of the decoded to the encoded size. Applies above [`RATIO_FROM`] bytes.
    pub ratio: u64,
}

/// Up to this size the ratio is not limited: a short run of one letter is not an attack.
pub const RATIO_FROM: u64 = 1 << 20;

/// Size of the buffers between codings in bytes.
pub(super) const CHUNK_SIZE: usize = 16 << 10;
