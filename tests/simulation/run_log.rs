//! The log of a run, written by all participants.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::reply::Target;

/// What a client got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// The answer of the origin, whole.
    Whole,
    /// A fault of the gateway's own: its status and its kind.
    GatewayError(u16, String),
    /// The connection broke, or the body did.
    Broken,
    /// Nothing within the client's patience.
    Nothing,
    /// The client left.
    Left,
}

/// Notes of one run.
#[derive(Debug, Default)]
pub(super) struct RunLog(Mutex<Notes>);

#[derive(Debug, Default)]
pub(super) struct Notes {
    /// What each request came to, in the order in which that was known.
    pub(super) outcomes: Vec<(Duration, Target, Got)>,
    /// What should not be.
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
    /// A number for all that happened and when.
    pub(super) fn trace(&self) -> u64 {
        let text = format!("{:?}", self.outcomes);
        let mix = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        text.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
    }

    /// The requests that were answered whole.
    pub(super) fn answered(&self) -> Vec<Target> {
        let whole = self
            .outcomes
            .iter()
            .filter(|(_, _, got)| *got == Got::Whole);
        whole.map(|(_, target, _)| *target).collect()
    }
}
