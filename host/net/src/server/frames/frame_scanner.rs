//! From frame to frame, in pieces of any size.

use super::{HEAD, Head};

/// What comes next.
pub(super) enum Step<'a> {
    /// A head that is whole now.
    Head(Head),
    /// A piece of the payload that follows it.
    Payload(&'a [u8]),
}

/// A place in a stream of frames.
#[derive(Debug, Default)]
pub(super) struct Walk {
    head: [u8; HEAD],
    known: usize,
    left: usize,
}

impl Walk {
    /// Goes on with these bytes, and takes off what it went over; none where they end first.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<Step<'a>> {
        if self.left > 0 && !bytes.is_empty() {
            let (payload, rest) = bytes.split_at(self.left.min(bytes.len()));
            self.left -= payload.len();
            *bytes = rest;
            return Some(Step::Payload(payload));
        }
        let (head, rest) = bytes.split_at((HEAD - self.known).min(bytes.len()));
        self.head[self.known..][..head.len()].copy_from_slice(head);
        self.known += head.len();
        *bytes = rest;
        if self.known < HEAD {
            return None;
        }
        let head = Head::of(self.head);
        (self.known, self.left) = (0, head.length);
        Some(Step::Head(head))
    }

    /// True between two frames.
    pub(super) fn is_between(&self) -> bool {
        self.known == 0 && self.left == 0
    }
}
