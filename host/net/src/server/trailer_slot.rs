//! The trailer section of an HTTP/1.1 response. hyper sends only trailer fields that the head
//! announces, to clients that ask for them; others are forwarded too (RFC 9110, section 6.5.1).
//!
//! The body hands the section over and waits until hyper has written everything before it. The
//! next bytes of hyper then end the body: in their place, its socket writes the end with the
//! section.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;

/// The end of a chunked body without trailers (RFC 9112, section 7.1).
pub(super) const BODY_END: &[u8] = b"0\r\n\r\n";

/// The trailer section of the response that is being sent.
#[derive(Debug, Default)]
pub(super) struct TrailerSlot {
    /// Otherwise nothing needs the lock.
    is_used: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Empty,
    /// hyper has bytes before the section.
    Waiting(Bytes, Waker),
    /// The next bytes of hyper are [`BODY_END`].
    Due(Bytes),
}

impl TrailerSlot {
    /// Hands a section over. Ready once the body may end.
    pub(super) fn poll_due(&self, cx: &Context<'_>, section: &mut Option<Bytes>) -> Poll<()> {
        let mut state = self.state.lock();
        if let Some(section) = section.take() {
            *state = State::Waiting(section, cx.waker().clone());
            self.is_used.store(true, Ordering::Release);
        }
        match &mut *state {
            State::Waiting(_, waker) => {
                waker.clone_from(cx.waker());
                Poll::Pending
            }
            State::Empty | State::Due(_) => Poll::Ready(()),
        }
    }

    /// hyper has written everything that it has.
    pub(super) fn on_flushed(&self) {
        if !self.is_used.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.state.lock();
        *state = match std::mem::take(&mut *state) {
            State::Waiting(section, waker) => {
                waker.wake();
                State::Due(section)
            }
            other => other,
        };
    }

    /// The end of the body with its trailer section, in place of bytes that begin with
    /// [`BODY_END`].
    pub(super) fn take_due(&self, bytes: &[u8]) -> Option<Bytes> {
        if !self.is_used.load(Ordering::Acquire) {
            return None;
        }
        let mut state = self.state.lock();
        if !matches!(*state, State::Due(_)) {
            return None;
        }
        self.is_used.store(false, Ordering::Release);
        match std::mem::take(&mut *state) {
            State::Due(section) if bytes.starts_with(BODY_END) => {
                Some([b"0\r\n", &section[..], b"\r\n"].concat().into())
            }
            // The body did not end.
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_follows_everything_that_was_written_before() {
        let slot = TrailerSlot::default();
        let cx = Context::from_waker(Waker::noop());
        let mut section = Some(Bytes::from_static(b"x: 1\r\n"));
        assert!(slot.poll_due(&cx, &mut section).is_pending());
        assert_eq!(slot.take_due(BODY_END), None, "bytes of the body");
        slot.on_flushed();
        assert!(slot.poll_due(&cx, &mut section).is_ready());
        let end = slot.take_due(b"0\r\n\r\nHTTP/1.1").unwrap();
        assert_eq!(&*end, b"0\r\nx: 1\r\n\r\n");
        assert_eq!(slot.take_due(BODY_END), None);
    }

    #[test]
    fn an_aborted_body_has_no_section() {
        let slot = TrailerSlot::default();
        let cx = Context::from_waker(Waker::noop());
        let mut section = Some(Bytes::from_static(b"x: 1\r\n"));
        assert!(slot.poll_due(&cx, &mut section).is_pending());
        slot.on_flushed();
        assert_eq!(slot.take_due(b"HTTP/1.1 200"), None);
    }
}
