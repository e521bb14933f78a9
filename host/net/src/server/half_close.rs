//! A client that sends no more after its request and waits for the response, such as `nc -N`.
//!
//! A client that leaves looks the same until it is sent something. So the end of its stream is
//! hidden from hyper for `limits.half_close_timeout`, or to the end of a response that begins in
//! this time. After the response has begun, a client that ends its stream has left.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Whether the end of the client's stream is hidden from hyper.
#[derive(Debug, Default)]
pub(super) struct HalfClose {
    response_begun: AtomicBool,
    /// Otherwise nothing needs the lock.
    is_hidden: AtomicBool,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// The client sends.
    #[default]
    Open,
    /// It has ended its stream, which hyper does not know.
    HiddenSince(Instant),
    /// hyper knows.
    Reported,
}

impl HalfClose {
    /// A request begins.
    pub(super) fn begin_request(&self) {
        self.response_begun.store(false, Ordering::Relaxed);
    }

    /// The response begins to the only request in progress.
    pub(super) fn begin_response(&self) {
        self.response_begun.store(true, Ordering::Relaxed);
    }

    /// The client has ended its stream between two requests. True if hyper must not know yet.
    pub(super) fn hide(&self, is_active: bool) -> bool {
        let mut state = self.state.lock();
        match *state {
            State::Open if is_active && !self.response_begun.load(Ordering::Relaxed) => {
                *state = State::HiddenSince(Instant::now());
                self.is_hidden.store(true, Ordering::Relaxed);
                true
            }
            State::HiddenSince(_) => true,
            State::Open | State::Reported => false,
        }
    }

    /// When hyper must know of the end, if that depends on the time: now if no request is active.
    pub(super) fn report_time(&self, is_active: bool, limit: Duration) -> Option<Instant> {
        if !self.is_hidden.load(Ordering::Relaxed) {
            return None;
        }
        let State::HiddenSince(since) = *self.state.lock() else {
            return None;
        };
        match (is_active, self.response_begun.load(Ordering::Relaxed)) {
            (false, _) => Some(since),
            (true, true) => None,
            (true, false) => Some(since + limit),
        }
    }

    /// hyper may know of the end.
    pub(super) fn report(&self) {
        *self.state.lock() = State::Reported;
        self.is_hidden.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn the_end_is_hidden_while_a_request_waits_for_its_response() {
        let half_close = HalfClose::default();
        assert!(!half_close.hide(false), "no request is active");
        half_close.begin_request();
        assert_eq!(half_close.report_time(true, LIMIT), None);
        assert!(half_close.hide(true));
        let due = Instant::now() + LIMIT;
        assert_eq!(half_close.report_time(true, LIMIT), Some(due));
        half_close.begin_response();
        assert_eq!(half_close.report_time(true, LIMIT), None);
        assert!(half_close.hide(true), "until the response has ended");
        assert!(
            half_close
                .report_time(false, LIMIT)
                .is_some_and(|at| at <= Instant::now())
        );
        half_close.report();
        assert!(!half_close.hide(true));
        assert_eq!(half_close.report_time(false, LIMIT), None);
    }

    #[test]
    fn a_client_that_ends_its_stream_within_a_response_has_left() {
        let half_close = HalfClose::default();
        half_close.begin_request();
        half_close.begin_response();
        assert!(!half_close.hide(true));
    }
}
