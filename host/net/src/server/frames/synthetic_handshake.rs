//! The beginning of an h2 on a connection that has begun long ago: what it says and is told then
//! stays with the gateway.

use super::frame_scanner::{Step, Walk};
use super::{ACK, SETTINGS, WINDOW_UPDATE};

#[derive(Debug)]
pub(crate) struct Handshake {
    told: Vec<u8>,
    /// So many bytes of it were read.
    read: usize,
    /// Its settings, that it knows those of the client, and the window of the connection.
    heard: [bool; 3],
    walk: Walk,
}

impl Handshake {
    /// `told` is what it is to know of the client.
    pub(super) fn new(told: Vec<u8>) -> Self {
        Self {
            told,
            read: 0,
            heard: [false; 3],
            walk: Walk::default(),
        }
    }

    /// What it reads next, at most so many bytes.
    pub(crate) fn tell(&mut self, most: usize) -> &[u8] {
        let rest = &self.told[self.read..];
        let next = &rest[..most.min(rest.len())];
        self.read += next.len();
        next
    }

    /// It writes these bytes.
    pub(crate) fn hear(&mut self, mut bytes: &[u8]) {
        while let Some(step) = self.walk.next(&mut bytes) {
            match step {
                Step::Head(head) if head.kind == SETTINGS => {
                    self.heard[usize::from(head.flags & ACK)] = true;
                }
                Step::Head(head) => self.heard[2] |= head.kind == WINDOW_UPDATE,
                Step::Payload(_) => {}
            }
        }
    }

    /// True once it has said all that it says at a beginning.
    pub(crate) fn is_over(&self) -> bool {
        self.heard == [true; 3] && self.walk.is_between()
    }
}
