//! The bytes of a coded body that are not part of the decoded body.

use bytes::Bytes;

/// What a coded body holds besides the decoded body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// Names, comments, extra fields and skipped frames of the containers, joined by line ends.
    pub metadata: Vec<u8>,
    /// There is metadata that could not be collected.
    pub has_hidden_metadata: bool,
    /// The bytes after the end of the outermost coding.
    pub tail: Bytes,
    /// The trailer fields of `aws-chunked`.
    pub trailers: Vec<(String, String)>,
}

impl Extra {
    pub(super) fn add_metadata(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.metadata.extend_from_slice(bytes);
            self.metadata.push(b'\n');
        }
    }

    /// True if nothing but zeros follows the body: the padding of tapes and blocks.
    pub fn has_padding_only(&self) -> bool {
        self.tail.iter().all(|byte| *byte == 0)
    }
}
