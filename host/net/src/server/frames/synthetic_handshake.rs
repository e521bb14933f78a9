//! The beginning of an h2 on a connection that has begun long ago: what it says and is told then
//! stays with the gateway.

use super::frame_scanner::{FrameEvent, FrameScanner};
use super::{ACK, SETTINGS, WINDOW_UPDATE};

#[derive(Debug)]
pub(crate) struct SyntheticHandshake {
    input: Vec<u8>,
    /// So many bytes of it were read.
    input_pos: usize,
    /// Its settings, that it knows those of the client, and the window of the connection.
    seen: [bool; 3],
    scanner: FrameScanner,
}

impl SyntheticHandshake {
    /// `told` is what it is to know of the client.
    pub(super) fn new(told: Vec<u8>) -> Self {
        Self {
            input: told,
            input_pos: 0,
            seen: [false; 3],
            scanner: FrameScanner::default(),
        }
    }

    /// What it reads next, at most so many bytes.
    pub(crate) fn read(&mut self, most: usize) -> &[u8] {
        let rest = &self.input[self.input_pos..];
        let next = &rest[..most.min(rest.len())];
        self.input_pos += next.len();
        next
    }

    /// It writes these bytes.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) {
        while let Some(step) = self.scanner.next(&mut bytes) {
            match step {
                FrameEvent::Header(head) if head.kind == SETTINGS => {
                    self.seen[usize::from(head.flags & ACK)] = true;
                }
                FrameEvent::Header(head) => self.seen[2] |= head.kind == WINDOW_UPDATE,
                FrameEvent::Payload(_) => {}
            }
        }
    }

    /// True once it has said all that it says at a beginning.
    pub(crate) fn is_complete(&self) -> bool {
        self.seen == [true; 3] && self.scanner.is_at_boundary()
    }
}
