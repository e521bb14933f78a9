//! Limits of decoding.

/// How large a body may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most bytes that may come out.
    pub bytes: u64,
    /// How many times larger than what went in it may be; this counts once [`RATIO_FROM`] bytes
    /// came out.
    pub ratio: u64,
}

/// Below this many bytes no ratio is too high: a short run of one letter is no attack.
pub const RATIO_FROM: u64 = 1 << 20;

/// Bodies are worked on in pieces of this many bytes.
pub(super) const CHUNK_SIZE: usize = 16 << 10;
