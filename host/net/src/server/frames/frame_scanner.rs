//! From frame to frame, in pieces of any size.

use super::{FRAME_HEADER_LEN, FrameHeader};

/// What comes next.
pub(super) enum FrameEvent<'a> {
    /// A head that is whole now.
    Header(FrameHeader),
    /// A piece of the payload that follows it.
    Payload(&'a [u8]),
}

/// A place in a stream of frames.
#[derive(Debug, Default)]
pub(super) struct FrameScanner {
    head: [u8; FRAME_HEADER_LEN],
    head_len: usize,
    payload_left: usize,
}

impl FrameScanner {
    /// Goes on with these bytes, and takes off what it went over; none where they end first.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<FrameEvent<'a>> {
        if self.payload_left > 0 && !bytes.is_empty() {
            let (payload, rest) = bytes.split_at(self.payload_left.min(bytes.len()));
            self.payload_left -= payload.len();
            *bytes = rest;
            return Some(FrameEvent::Payload(payload));
        }
        let (head, rest) = bytes.split_at((FRAME_HEADER_LEN - self.head_len).min(bytes.len()));
        self.head[self.head_len..][..head.len()].copy_from_slice(head);
        self.head_len += head.len();
        *bytes = rest;
        if self.head_len < FRAME_HEADER_LEN {
            return None;
        }
        let head = FrameHeader::parse(self.head);
        (self.head_len, self.payload_left) = (0, head.length);
        Some(FrameEvent::Header(head))
    }

    /// True between two frames.
    pub(super) fn is_at_boundary(&self) -> bool {
        self.head_len == 0 && self.payload_left == 0
    }
}
