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
    /// More trailer fields than `limits.header_count`.
    TooManyTrailers,
}

impl BodyErrorFlag {
    pub(super) fn set(&self, kind: BodyErrorKind) {
        self.0.store(kind as u8, Ordering::Relaxed);
    }

    /// The rejection to respond with; `None` if nothing went wrong.
    pub(super) fn rejection(&self) -> Option<Rejection> {
        use BodyErrorKind::{IdleTimeout, Incomplete, TooManyTrailers, TooSlow, TotalTimeout};

        let value = self.0.load(Ordering::Relaxed);
        let kinds = [
            IdleTimeout,
            TotalTimeout,
            TooSlow,
            Incomplete,
            TooManyTrailers,
        ];
        let kind = kinds.into_iter().find(|kind| *kind as u8 == value)?;
        Some(match (kind, kind.limit()) {
            (_, Some(key)) => Rejection::BodyTimeout(key),
            (TooManyTrailers, None) => Rejection::TooManyTrailers,
            (_, None) => Rejection::IncompleteBody,
        })
    }
}

impl BodyErrorKind {
    /// Why hyper cannot read a body.
    pub(super) fn of(error: &hyper::Error) -> Self {
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            if error.to_string() == TRAILER_COUNT {
                return Self::TooManyTrailers;
            }
            cause = error.source();
        }
        Self::Incomplete
    }

    /// The key of the time limit that was exceeded, if one was.
    pub(super) fn limit(self) -> Option<&'static str> {
        match self {
            Self::IdleTimeout => Some("request_body_idle_timeout"),
            Self::TotalTimeout => Some("request_timeout"),
            Self::TooSlow => Some("request_body_min_rate"),
            Self::Incomplete | Self::TooManyTrailers => None,
        }
    }
}

/// hyper's error for too many trailer fields, for which it has no type. The test of the limit fails
/// if it changes.
const TRAILER_COUNT: &str = "chunk trailers count overflow";
