//! Holds a request body back until the upstream asks for it (RFC 9110, section 10.1.1).

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

/// Holds a request body back until the upstream asks for it, for a bounded time.
#[derive(Clone, Debug)]
pub(super) struct ContinueGate(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    max_wait: Duration,
}

#[derive(Debug, Default)]
struct State {
    decision: Decision,
    body: Option<Waker>,
}

/// What the upstream decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Decision {
    /// Nothing yet.
    #[default]
    None,
    /// The body is sent.
    Continue,
    /// The response arrived first. Its connection is used until it has ended.
    Refused,
    /// That response has ended.
    Ended,
}

/// The upstream responded without the request body.
#[derive(Debug, thiserror::Error)]
#[error("the upstream responded without asking for the request body")]
pub(super) struct BodyRefused;

impl ContinueGate {
    pub(super) fn new(max_wait: Duration) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            max_wait,
        }))
    }

    /// The longest time that the body is held back.
    pub(super) fn max_wait(&self) -> Duration {
        self.0.max_wait
    }

    /// The body is sent: the upstream has asked for it, or has not decided in time.
    pub(super) fn open(&self) {
        self.decide(Decision::None, Decision::Continue);
    }

    /// The final response has arrived. True if the body is not sent.
    pub(super) fn on_response(&self) -> bool {
        self.decide(Decision::None, Decision::Refused);
        self.0.state.lock().decision == Decision::Refused
    }

    /// The body, if it is still held back, is given up: the response has ended.
    pub(super) fn on_response_end(&self) {
        self.decide(Decision::Refused, Decision::Ended);
    }

    fn decide(&self, from: Decision, to: Decision) {
        let mut state = self.0.state.lock();
        if state.decision == from {
            state.decision = to;
            state.body.take().into_iter().for_each(Waker::wake);
        }
    }

    /// Ready once the body may be sent, or is given up.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Result<(), BodyRefused>> {
        let mut state = self.0.state.lock();
        match state.decision {
            Decision::None | Decision::Refused => {
                state.body = Some(cx.waker().clone());
                Poll::Pending
            }
            Decision::Continue => Poll::Ready(Ok(())),
            Decision::Ended => Poll::Ready(Err(BodyRefused)),
        }
    }
}

/// Tells the gate that its response has ended.
#[derive(Debug)]
pub(super) struct ResponseEnd(pub(super) ContinueGate);

impl Drop for ResponseEnd {
    fn drop(&mut self) {
        self.0.on_response_end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(gate: &ContinueGate) -> Poll<Result<(), BodyRefused>> {
        gate.poll(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_first_decision_counts() {
        let gate = ContinueGate::new(Duration::ZERO);
        assert!(poll(&gate).is_pending());
        gate.open();
        assert!(!gate.on_response());
        assert!(matches!(poll(&gate), Poll::Ready(Ok(()))));

        let gate = ContinueGate::new(Duration::ZERO);
        assert!(gate.on_response());
        gate.open();
        assert!(poll(&gate).is_pending(), "the response is being received");
        drop(ResponseEnd(gate.clone()));
        assert!(matches!(poll(&gate), Poll::Ready(Err(BodyRefused))));
    }
}
