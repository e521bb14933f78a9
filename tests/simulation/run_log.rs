//! The log of a run, written by all participants.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::reply::Target;

/// The outcome of a request for its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// The complete response of the origin.
    Whole,
    /// An error of the gateway: status and kind.
    GatewayError(u16, String),
    /// The connection or the body broke off.
    Broken,
    /// No response within the client's timeout.
    Nothing,
    /// The client left.
    Left,
}

/// The log of one run.
#[derive(Debug, Default)]
pub(super) struct RunLog(Mutex<Notes>);

#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The outcome of each request, in the order of completion.
    pub(super) outcomes: Vec<(Duration, Target, Got)>,
    /// Violations of invariants.
    pub(super) wrong: Vec<String>,
}

impl RunLog {
    pub(super) fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn got(&self, target: Target, got: Got) {
        self.lock().outcomes.push((turmoil::elapsed(), target, got));
    }

    pub(super) fn wrong(&self, what: String) {
        self.lock().wrong.push(what);
    }
}

impl Notes {
    /// A hash of all events and their times.
    pub(super) fn trace(&self) -> u64 {
        let text = format!("{:?}", self.outcomes);
        let mix = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        text.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
    }

    /// The requests with a complete response.
    pub(super) fn answered(&self) -> Vec<Target> {
        let whole = self
            .outcomes
            .iter()
            .filter(|(_, _, got)| *got == Got::Whole);
        whole.map(|(_, target, _)| *target).collect()
    }
}
