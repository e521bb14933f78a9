//! The close frame that the gateway itself puts into a tunnel where it stops: between two frames of
//! the side in whose name it is sent, after which nothing of that side is passed on.

use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;

use ouli_codec::websocket::{Encoder, FrameTracker};
use ouli_message::stream::Side;

/// Going away (RFC 6455, section 7.4.1).
const GOING_AWAY: u16 = 1001;

/// One direction's bytes on their way, and the last frame that follows them.
#[derive(Debug, Default)]
pub(super) struct CloseInjector {
    boundaries: FrameTracker,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// All is passed on.
    #[default]
    Forwarding,
    /// The frame follows at the next border.
    Pending(Bytes),
    /// It was sent, or the side has closed by itself before.
    Sent,
}

impl CloseInjector {
    /// The frame follows at the next border, in the name of `side`. Where there is one now it is
    /// given at once.
    pub(super) fn begin(&mut self, side: Side) -> Option<Bytes> {
        if self.boundaries.is_closed() {
            // What follows a close is its receiver's business (RFC 6455, section 5.5.1).
            return None;
        }
        let mask = (side == Side::Client).then(masking_key);
        let encoder = Encoder::new(side, None);
        let frame = encoder.close(Some(GOING_AWAY), "the gateway stops", mask);
        if self.boundaries.is_at_boundary() {
            self.state = State::Sent;
            return Some(frame);
        }
        self.state = State::Pending(frame);
        None
    }

    /// Bytes that came: how many of them are passed on, and the frame that follows them.
    pub(super) fn forward(&mut self, bytes: &[u8]) -> (usize, Option<Bytes>) {
        match std::mem::take(&mut self.state) {
            State::Forwarding => {
                self.boundaries.advance(bytes);
                (bytes.len(), None)
            }
            State::Pending(frame) => {
                let passed = self.boundaries.advance_to_boundary(bytes);
                if !self.boundaries.is_at_boundary() {
                    self.state = State::Pending(frame);
                    return (passed, None);
                }
                self.state = State::Sent;
                let frame = (!self.boundaries.is_closed()).then_some(frame);
                self.boundaries.advance(&bytes[passed..]);
                (passed, frame)
            }
            State::Sent => {
                self.state = State::Sent;
                self.boundaries.advance(bytes);
                (0, None)
            }
        }
    }

    /// True once the side has closed by itself.
    pub(super) fn is_closed(&self) -> bool {
        self.boundaries.is_closed()
    }

    /// True where the side has answered what was said to it: there is nothing more to wait for.
    pub(super) fn is_acknowledged(&self) -> bool {
        matches!(self.state, State::Sent) && self.boundaries.is_closed()
    }
}

/// Bytes that nobody can foretell (RFC 6455, section 5.3).
fn masking_key() -> [u8; 4] {
    let [a, b, c, d, ..] = RandomState::new().hash_one(0_u8).to_be_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &str) -> Bytes {
        Encoder::new(Side::Server, None).message(true, content.as_bytes(), false, None)
    }

    #[test]
    fn at_a_frame_boundary_the_close_is_sent_at_once() {
        let mut farewell = CloseInjector::default();
        assert_eq!(farewell.forward(&text("hello")).0, 7);
        let frame = farewell.begin(Side::Server).unwrap();
        assert_eq!(&frame[..4], b"\x88\x13\x03\xe9");
        assert_eq!(farewell.forward(&text("late")), (0, None));
        assert!(!farewell.is_acknowledged());
        farewell.forward(&Encoder::new(Side::Server, None).close(None, "", None));
        assert!(farewell.is_acknowledged());
    }

    #[test]
    fn a_partial_frame_is_completed_first() {
        let mut farewell = CloseInjector::default();
        let both = [text("hello"), text("late")].concat();
        farewell.forward(&both[..3]);
        assert_eq!(farewell.begin(Side::Server), None);
        assert_eq!(farewell.forward(&both[3..5]), (2, None));
        let (passed, frame) = farewell.forward(&both[5..]);
        assert_eq!((passed, frame.is_some()), (2, true));
        assert_eq!(farewell.forward(&text("later")), (0, None));
    }

    #[test]
    fn a_closed_side_sends_no_second_close() {
        let close = Encoder::new(Side::Server, None).close(Some(1000), "", None);
        let mut farewell = CloseInjector::default();
        farewell.forward(&close);
        assert_eq!(farewell.begin(Side::Server), None);
        let mut farewell = CloseInjector::default();
        farewell.forward(&close[..2]);
        farewell.begin(Side::Server);
        assert_eq!(farewell.forward(&close[2..]), (2, None));
    }

    #[test]
    fn client_close_frames_are_masked() {
        let frame = CloseInjector::default().begin(Side::Client).unwrap();
        assert_eq!(frame[1], 0x80 | 19);
    }
}
