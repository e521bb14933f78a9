//! The close frame that the gateway itself puts into a tunnel where it stops: between two frames of
//! the side in whose name it is sent, after which nothing of that side is passed on.

use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;

use ouli_codec::websocket::{Borders, Encoder};
use ouli_message::stream::Side;

/// Going away (RFC 6455, section 7.4.1).
const GOING_AWAY: u16 = 1001;

/// One direction's bytes on their way, and the last frame that follows them.
#[derive(Debug, Default)]
pub(super) struct Farewell {
    borders: Borders,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// All is passed on.
    #[default]
    Passing,
    /// The frame follows at the next border.
    Due(Bytes),
    /// It was sent, or the side has closed by itself before.
    Said,
}

impl Farewell {
    /// The frame follows at the next border, in the name of `side`. Where there is one now it is
    /// given at once.
    pub(super) fn begin(&mut self, side: Side) -> Option<Bytes> {
        if self.borders.is_closed() {
            // What follows a close is its receiver's business (RFC 6455, section 5.5.1).
            return None;
        }
        let mask = (side == Side::Client).then(mask);
        let encoder = Encoder::new(side, None);
        let frame = encoder.close(Some(GOING_AWAY), "the gateway stops", mask);
        if self.borders.is_at_border() {
            self.state = State::Said;
            return Some(frame);
        }
        self.state = State::Due(frame);
        None
    }

    /// Bytes that came: how many of them are passed on, and the frame that follows them.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> (usize, Option<Bytes>) {
        match std::mem::take(&mut self.state) {
            State::Passing => {
                self.borders.follow(bytes);
                (bytes.len(), None)
            }
            State::Due(frame) => {
                let passed = self.borders.to_border(bytes);
                if !self.borders.is_at_border() {
                    self.state = State::Due(frame);
                    return (passed, None);
                }
                self.state = State::Said;
                let frame = (!self.borders.is_closed()).then_some(frame);
                self.borders.follow(&bytes[passed..]);
                (passed, frame)
            }
            State::Said => {
                self.state = State::Said;
                self.borders.follow(bytes);
                (0, None)
            }
        }
    }

    /// True once the side has closed by itself.
    pub(super) fn is_closed(&self) -> bool {
        self.borders.is_closed()
    }

    /// True where the side has answered what was said to it: there is nothing more to wait for.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Said) && self.borders.is_closed()
    }
}

/// Bytes that nobody can foretell (RFC 6455, section 5.3).
fn mask() -> [u8; 4] {
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
    fn between_frames_it_is_said_at_once() {
        let mut farewell = Farewell::default();
        assert_eq!(farewell.pass(&text("hello")).0, 7);
        let frame = farewell.begin(Side::Server).unwrap();
        assert_eq!(&frame[..4], b"\x88\x13\x03\xe9");
        assert_eq!(farewell.pass(&text("late")), (0, None));
        assert!(!farewell.is_over());
        farewell.pass(&Encoder::new(Side::Server, None).close(None, "", None));
        assert!(farewell.is_over());
    }

    #[test]
    fn a_frame_under_way_goes_first() {
        let mut farewell = Farewell::default();
        let both = [text("hello"), text("late")].concat();
        farewell.pass(&both[..3]);
        assert_eq!(farewell.begin(Side::Server), None);
        assert_eq!(farewell.pass(&both[3..5]), (2, None));
        let (passed, frame) = farewell.pass(&both[5..]);
        assert_eq!((passed, frame.is_some()), (2, true));
        assert_eq!(farewell.pass(&text("later")), (0, None));
    }

    #[test]
    fn who_has_closed_says_no_more() {
        let close = Encoder::new(Side::Server, None).close(Some(1000), "", None);
        let mut farewell = Farewell::default();
        farewell.pass(&close);
        assert_eq!(farewell.begin(Side::Server), None);
        let mut farewell = Farewell::default();
        farewell.pass(&close[..2]);
        farewell.begin(Side::Server);
        assert_eq!(farewell.pass(&close[2..]), (2, None));
    }

    #[test]
    fn a_client_masks() {
        let frame = Farewell::default().begin(Side::Client).unwrap();
        assert_eq!(frame[1], 0x80 | 19);
    }
}
