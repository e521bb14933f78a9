//! A body or a message: its bytes, or a reference to the file that holds them.

use bytes::Bytes;

/// The bytes of a body or a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// In memory.
    Inline(Bytes),
    /// In a file beside the cassette.
    Stored {
        /// The SHA-256 of the bytes in lower-case hex, which is the name of the file.
        digest: String,
        /// Size in bytes.
        size: u64,
    },
}

impl Content {
    /// No bytes.
    pub const EMPTY: Self = Self::Inline(Bytes::new());

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Stored { size, .. } => *size,
        }
    }

    /// The digest of a stored content.
    pub fn digest(&self) -> Option<&str> {
        match self {
            Self::Inline(_) => None,
            Self::Stored { digest, .. } => Some(digest),
        }
    }

    /// The bytes in memory; empty for a stored content.
    pub fn inline(&self) -> &[u8] {
        match self {
            Self::Inline(bytes) => bytes,
            Self::Stored { .. } => &[],
        }
    }

    /// [`Content::inline`] as shared bytes.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Inline(bytes) => bytes.clone(),
            Self::Stored { .. } => Bytes::new(),
        }
    }
}
