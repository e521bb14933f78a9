//! What went wrong with a request body, shared between the body and the task that responds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::error::Rejection;

/// Set by the body, read by the task that responds.
#[derive(Clone, Debug, Default)]
pub(super) struct BodyErrorFlag(Arc<AtomicU8>);

/// What can go wrong with a body.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(super) enum BodyErrorKind {
    /// No chunk arrived for `limits.request_body_idle_timeout`.
    IdleTimeout = 1,
    /// The body did not end within `limits.request_timeout`.
    TotalTimeout,
    /// The body arrived more slowly than `limits.request_body_min_rate`.
    TooSlow,
    /// The body ended early or is malformed.
    Incomplete,
}

impl BodyErrorFlag {
    pub(super) fn set(&self, kind: BodyErrorKind) {
        self.0.store(kind as u8, Ordering::Relaxed);
    }

    /// The rejection to respond with; `None` if nothing went wrong.
    pub(super) fn rejection(&self) -> Option<Rejection> {
        use BodyErrorKind::{IdleTimeout, Incomplete, TooSlow, TotalTimeout};

        let value = self.0.load(Ordering::Relaxed);
        let kind = [IdleTimeout, TotalTimeout, TooSlow, Incomplete]
            .into_iter()
            .find(|kind| *kind as u8 == value)?;
        Some(match kind.limit() {
            Some(key) => Rejection::BodyTimeout(key),
            None => Rejection::IncompleteBody,
        })
    }
}

impl BodyErrorKind {
    /// The key of the time limit that was exceeded, if one was.
    pub(super) fn limit(self) -> Option<&'static str> {
        match self {
            Self::IdleTimeout => Some("request_body_idle_timeout"),
            Self::TotalTimeout => Some("request_timeout"),
            Self::TooSlow => Some("request_body_min_rate"),
            Self::Incomplete => None,
        }
    }
}
