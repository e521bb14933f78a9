//! Injects a close frame into a tunnel when the gateway stops: between two frames of one side, of
//! which nothing more is forwarded.

use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;

use ouli_codec::websocket::{Encoder, FrameTracker};
use ouli_message::stream::Side;

/// Going away (RFC 6455, section 7.4.1).
const GOING_AWAY: u16 = 1001;

/// The close frame of one direction of a tunnel.
#[derive(Debug, Default)]
pub(super) struct CloseInjector {
    boundaries: FrameTracker,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// Bytes are forwarded.
    #[default]
    Forwarding,
    /// The close frame follows at the next frame boundary.
    Pending(Bytes),
    /// The close frame is sent, or the side has closed by itself.
    Sent,
}

impl CloseInjector {
    /// Begins to close the direction in the name of `side`. Returns the close frame if the
    /// direction is at a frame boundary; else [`Self::forward`] returns it at the next one.
    pub(super) fn begin(&mut self, side: Side) -> Option<Bytes> {
        if self.boundaries.is_closed() {
            // The receiver of the close replies to it (RFC 6455, section 5.5.1).
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

    /// How many of the bytes are forwarded, and the close frame that follows them.
    pub(super) fn forward(&mut self, bytes: &[u8]) -> (usize, Option<Bytes>) {
        match std::mem::take(&mut self.state) {
            State::Forwarding => {
                self.boundaries.advance(bytes);
                (bytes.len(), None)
            }
            State::Pending(frame) => {
                let forwarded = self.boundaries.advance_to_boundary(bytes);
                if !self.boundaries.is_at_boundary() {
                    self.state = State::Pending(frame);
                    return (forwarded, None);
                }
                self.state = State::Sent;
                let frame = (!self.boundaries.is_closed()).then_some(frame);
                self.boundaries.advance(&bytes[forwarded..]);
                (forwarded, frame)
            }
            State::Sent => {
                self.state = State::Sent;
                self.boundaries.advance(bytes);
                (0, None)
            }
        }
    }

    /// True if the side has closed by itself.
    pub(super) fn is_closed(&self) -> bool {
        self.boundaries.is_closed()
    }

    /// True if the close frame is sent and the side has closed too.
    pub(super) fn is_acknowledged(&self) -> bool {
        matches!(self.state, State::Sent) && self.boundaries.is_closed()
    }
}

/// Unpredictable bytes (RFC 6455, section 5.3).
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
        let mut injector = CloseInjector::default();
        assert_eq!(injector.forward(&text("hello")).0, 7);
        let frame = injector.begin(Side::Server).unwrap();
        assert_eq!(&frame[..4], b"\x88\x13\x03\xe9");
        assert_eq!(injector.forward(&text("late")), (0, None));
        assert!(!injector.is_acknowledged());
        injector.forward(&Encoder::new(Side::Server, None).close(None, "", None));
        assert!(injector.is_acknowledged());
    }

    #[test]
    fn a_partial_frame_is_completed_first() {
        let mut injector = CloseInjector::default();
        let both = [text("hello"), text("late")].concat();
        injector.forward(&both[..3]);
        assert_eq!(injector.begin(Side::Server), None);
        assert_eq!(injector.forward(&both[3..5]), (2, None));
        let (forwarded, frame) = injector.forward(&both[5..]);
        assert_eq!((forwarded, frame.is_some()), (2, true));
        assert_eq!(injector.forward(&text("later")), (0, None));
    }

    #[test]
    fn a_closed_side_sends_no_second_close() {
        let close = Encoder::new(Side::Server, None).close(Some(1000), "", None);
        let mut injector = CloseInjector::default();
        injector.forward(&close);
        assert_eq!(injector.begin(Side::Server), None);
        let mut injector = CloseInjector::default();
        injector.forward(&close[..2]);
        injector.begin(Side::Server);
        assert_eq!(injector.forward(&close[2..]), (2, None));
    }

    #[test]
    fn client_close_frames_are_masked() {
        let frame = CloseInjector::default().begin(Side::Client).unwrap();
        assert_eq!(frame[1], 0x80 | 19);
    }

    #[test]
    fn everything_is_forwarded_until_the_shutdown() {
        let mut injector = CloseInjector::default();
        let close = Encoder::new(Side::Server, None).close(Some(1000), "", None);
        for bytes in [&text("hello")[..3], &text("hello")[3..], &close] {
            assert_eq!(injector.forward(bytes), (bytes.len(), None));
        }
        assert!(injector.is_closed());
        assert!(!injector.is_acknowledged(), "no close frame was injected");
    }

    #[test]
    fn a_pending_close_waits_for_the_frame_boundary() {
        let mut injector = CloseInjector::default();
        let frame = text("hello");
        injector.forward(&frame[..1]);
        assert_eq!(injector.begin(Side::Server), None);
        for byte in &frame[1..6] {
            assert_eq!(injector.forward(&[*byte]), (1, None));
        }
        let (forwarded, close) = injector.forward(&frame[6..]);
        assert_eq!(forwarded, 1);
        assert!(close.is_some());
        assert!(!injector.is_closed() && !injector.is_acknowledged());
    }
}
