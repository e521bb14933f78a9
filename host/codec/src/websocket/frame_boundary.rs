//! Tracks the frame boundaries of one side without decoding the frames. Other frames can be
//! inserted only at a boundary.

use super::frame::{MAX_HEAD, Opcode};

/// Tracks the bytes of one side.
#[derive(Debug, Default)]
pub struct FrameTracker {
    /// The received part of the head of a frame.
    head: [u8; MAX_HEAD],
    head_len: u8,
    /// Number of missing bytes of the body of the frame.
    remaining: u64,
    closed: bool,
}

impl FrameTracker {
    /// True between two frames.
    pub fn is_at_boundary(&self) -> bool {
        self.head_len == 0 && self.remaining == 0
    }

    /// True once a close frame has started (RFC 6455, section 5.5.1).
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Advances over all bytes.
    pub fn advance(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let passed = self.advance_to_boundary(bytes);
            bytes = &bytes[passed..];
        }
    }

    /// Advances to the end of the current frame, or over all bytes if it does not end in them.
    /// Returns the number of bytes.
    pub fn advance_to_boundary(&mut self, bytes: &[u8]) -> usize {
        let mut passed = 0;
        if self.remaining == 0 {
            loop {
                let Some(byte) = bytes.get(passed) else {
                    return passed;
                };
                self.head[usize::from(self.head_len)] = *byte;
                self.head_len += 1;
                passed += 1;
                if usize::from(self.head_len) == self.head_size() {
                    break;
                }
            }
            self.begin_body();
        }
        let left = (bytes.len() - passed) as u64;
        let body = self.remaining.min(left);
        self.remaining -= body;
        // At most `bytes.len()`, so it fits.
        passed + usize::try_from(body).unwrap_or(0)
    }

    /// The size of the head by the bytes received so far (RFC 6455, section 5.2).
    fn head_size(&self) -> usize {
        if self.head_len < 2 {
            return 2;
        }
        let mask = if self.head[1] & 0x80 == 0 { 0 } else { 4 };
        match self.head[1] & 0x7f {
            126 => 4 + mask,
            127 => 10 + mask,
            _ => 2 + mask,
        }
    }

    fn begin_body(&mut self) {
        let [first, second, a, b, c, d, e, f, g, h, ..] = self.head;
        self.head_len = 0;
        self.remaining = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes([a, b])),
            127 => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            short => u64::from(short),
        };
        self.closed |= Opcode::of(first & 0x0f) == Some(Opcode::Close);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::Encoder;
    use ouli_message::stream::Side;

    /// Frames of every form of length, and where each of them ends.
    fn frames(mask: Option<[u8; 4]>) -> (Vec<u8>, Vec<usize>) {
        let mut encoder = Encoder::new(Side::Client, None);
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for size in [0, 1, 125, 126, 300, 0xffff, 0x1_0000] {
            bytes.extend_from_slice(&encoder.message(false, &vec![0x88; size], false, mask));
            ends.push(bytes.len());
            bytes.extend_from_slice(&encoder.ping(b"x", mask));
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn borders_are_where_frames_end() {
        for mask in [None, Some([1, 2, 3, 4])] {
            let (bytes, ends) = frames(mask);
            for step in [1, 2, 3, 7, 1000, bytes.len()] {
                let mut borders = FrameTracker::default();
                let (mut at, mut found) = (0, Vec::new());
                for mut chunk in bytes.chunks(step) {
                    while !chunk.is_empty() {
                        let passed = borders.advance_to_boundary(chunk);
                        at += passed;
                        chunk = &chunk[passed..];
                        if borders.is_at_boundary() {
                            found.push(at);
                        }
                    }
                }
                assert_eq!(found, ends, "in steps of {step}");
                assert!(!borders.is_closed());
            }
        }
    }

    #[test]
    fn a_close_is_seen() {
        let encoder = Encoder::new(Side::Client, None);
        let close = encoder.close(Some(1000), "bye", Some([9; 4]));
        let mut borders = FrameTracker::default();
        borders.advance(&close[..1]);
        assert!(!borders.is_closed());
        borders.advance(&close[1..]);
        assert!(borders.is_closed() && borders.is_at_boundary());
    }

    #[test]
    fn a_forged_length_is_only_a_long_way() {
        let mut borders = FrameTracker::default();
        borders.advance(&[0x82, 127]);
        borders.advance(&[0xff; 8]);
        borders.advance(&[0; 1000]);
        assert!(!borders.is_at_boundary());
    }
}
