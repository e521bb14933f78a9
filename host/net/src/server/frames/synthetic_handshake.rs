//! The handshake of a new h2 on an open connection. h2 reads a preface that the gateway writes for
//! the client, and what h2 writes is not sent: the client has seen it before.

use super::frame::{ACK, SETTINGS, WINDOW_UPDATE};
use super::frame_scanner::{FrameEvent, FrameScanner};

#[derive(Debug)]
pub(in crate::server) struct SyntheticHandshake {
    preface: Vec<u8>,
    /// Bytes of the preface that h2 has read.
    preface_pos: usize,
    written: WrittenFrames,
    scanner: FrameScanner,
}

/// The frames of its handshake that h2 has written.
#[derive(Debug, Default)]
struct WrittenFrames {
    settings: bool,
    settings_ack: bool,
    window_update: bool,
}

impl SyntheticHandshake {
    /// `preface` is the client's part: the preface, its settings and its windows.
    pub(super) fn new(preface: Vec<u8>) -> Self {
        Self {
            preface,
            preface_pos: 0,
            written: WrittenFrames::default(),
            scanner: FrameScanner::default(),
        }
    }

    /// The next bytes that h2 reads, at most `max`.
    pub(in crate::server) fn read(&mut self, max: usize) -> &[u8] {
        let rest = &self.preface[self.preface_pos..];
        let next = &rest[..max.min(rest.len())];
        self.preface_pos += next.len();
        next
    }

    /// Takes bytes that h2 writes.
    pub(in crate::server) fn write(&mut self, mut bytes: &[u8]) {
        while let Some(event) = self.scanner.next(&mut bytes) {
            let FrameEvent::Header(header) = event else {
                continue;
            };
            match header.kind {
                SETTINGS if header.flags & ACK != 0 => self.written.settings_ack = true,
                SETTINGS => self.written.settings = true,
                WINDOW_UPDATE => self.written.window_update = true,
                _ => {}
            }
        }
    }

    /// True once h2 has written its whole handshake.
    pub(in crate::server) fn is_complete(&self) -> bool {
        let written = &self.written;
        written.settings
            && written.settings_ack
            && written.window_update
            && self.scanner.is_at_boundary()
    }
}
