//! The access log: one line for each exchange, written when the exchange has ended.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Instant;

use http::{StatusCode, Version};
use parking_lot::Mutex;

use super::error::ExchangeError;
use super::problem_type::ErrorKind;
use crate::session::Hit;

/// The target of the log lines, for filters.
const TARGET: &str = "ouli::access";

/// True if the filter of the log lets the lines pass.
pub(super) fn is_enabled() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::INFO)
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccessOutcome {
    /// The gateway served one of its own pages.
    Admin,
    /// The response was replayed.
    Hit,
    /// The last recorded response was replayed again.
    Repeated,
    /// No recorded exchange matches.
    Miss,
    /// The response is the upstream's, and the exchange was submitted to the recorder.
    Recorded,
    /// The response is the upstream's, and the exchange is not recorded.
    Passed,
    /// The exchange failed.
    Failed(FailedKind),
}

/// Why an exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailedKind {
    /// The client disconnected before the end of the response.
    Client,
    /// The gateway sent an error of this kind, or the upstream aborted the response.
    Error(ErrorKind),
}

impl AccessOutcome {
    /// The upstream aborted the response.
    pub(super) const UPSTREAM_ABORTED: Self = Self::Failed(FailedKind::Error(ErrorKind::Upstream));

    pub(crate) fn of_hit(hit: Hit) -> Self {
        match hit.is_repeated() {
            true => Self::Repeated,
            false => Self::Hit,
        }
    }

    pub(super) fn of_error(error: &ExchangeError) -> Self {
        match error {
            ExchangeError::Miss(_) => Self::Miss,
            // A recorded failure is replayed.
            ExchangeError::RecordedFailure(_) => Self::Hit,
            other => Self::Failed(FailedKind::Error(other.kind())),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Hit => "hit",
            Self::Repeated => "repeated",
            Self::Miss => "miss",
            Self::Recorded => "recorded",
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
        }
    }

    fn failed_kind(self) -> Option<&'static str> {
        match self {
            Self::Failed(FailedKind::Client) => Some("client"),
            Self::Failed(FailedKind::Error(kind)) => Some(kind.as_str()),
            _ => None,
        }
    }
}

/// The fields of a line that are collected during the exchange.
pub(super) struct AccessRecord {
    started: Instant,
    peer: IpAddr,
    version: Version,
    /// 0 until there is a response.
    status: AtomicU16,
    outcome: Mutex<Option<AccessOutcome>>,
    bytes_in: Arc<AtomicU64>,
    bytes_out: AtomicU64,
}

/// The fields of a line that identify the exchange.
pub(super) struct AccessSubject<'a> {
    pub(super) id: String,
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) mode: Option<String>,
    pub(super) session: Option<&'a str>,
    pub(super) endpoint: &'a str,
}

impl AccessRecord {
    pub(super) fn new(peer: IpAddr, version: Version) -> Self {
        Self {
            started: Instant::now(),
            peer,
            version,
            status: AtomicU16::new(0),
            outcome: Mutex::new(None),
            bytes_in: Arc::default(),
            bytes_out: AtomicU64::new(0),
        }
    }

    /// Counts the bytes of the request body.
    pub(super) fn bytes_in(&self) -> &Arc<AtomicU64> {
        &self.bytes_in
    }

    pub(super) fn add_bytes_out(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn set_status(&self, status: StatusCode) {
        self.status.store(status.as_u16(), Ordering::Relaxed);
    }

    pub(super) fn set_outcome(&self, outcome: AccessOutcome) {
        *self.outcome.lock() = Some(outcome);
    }

    /// The client disconnected before the end of the response.
    pub(super) fn client_gone(&self) {
        let mut outcome = self.outcome.lock();
        if matches!(
            *outcome,
            Some(
                AccessOutcome::Hit
                    | AccessOutcome::Repeated
                    | AccessOutcome::Recorded
                    | AccessOutcome::Passed
            )
        ) {
            *outcome = Some(AccessOutcome::Failed(FailedKind::Client));
        }
    }

    /// Writes the line. It has no parent span, since it repeats the fields of the request's span.
    pub(super) fn write(&self, subject: &AccessSubject<'_>) {
        // Without an outcome the client disconnected before the response began.
        let outcome = *self.outcome.lock();
        let outcome = outcome.unwrap_or(AccessOutcome::Failed(FailedKind::Client));
        let status = self.status.load(Ordering::Relaxed);
        let micros = self.started.elapsed().as_micros();
        tracing::info!(
            target: TARGET,
            parent: None,
            id = %subject.id,
            method = %subject.method,
            target = subject.target,
            status = (status > 0).then_some(status),
            mode = subject.mode.as_ref().map(tracing::field::display),
            outcome = %outcome.as_str(),
            kind = outcome.failed_kind().map(tracing::field::display),
            bytes_in = self.bytes_in.load(Ordering::Relaxed),
            bytes_out = self.bytes_out.load(Ordering::Relaxed),
            duration_ms = u64::try_from(micros).map_or(f64::MAX, |micros| micros as f64 / 1e3),
            session = subject.session,
            endpoint = subject.endpoint,
            peer = %self.peer,
            protocol = ?self.version,
            "access"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ouli_message::failure::{FailureCause, FailureKind, Phase};

    fn record() -> AccessRecord {
        AccessRecord::new([127, 0, 0, 1].into(), Version::HTTP_11)
    }

    #[test]
    fn an_error_decides_the_outcome() {
        let refused = FailureCause::new(Phase::Connect, FailureKind::Refused);
        for (error, outcome, kind) in [
            (ExchangeError::RecordedFailure(refused), "hit", None),
            (ExchangeError::MemoryLimit, "failed", Some("limit")),
            (
                ExchangeError::Session("x".into()),
                "failed",
                Some("session"),
            ),
        ] {
            let found = AccessOutcome::of_error(&error);
            assert_eq!(
                (found.as_str(), found.failed_kind()),
                (outcome, kind),
                "{error}"
            );
        }
    }

    #[test]
    fn a_client_that_leaves_does_not_hide_an_earlier_failure() {
        for outcome in [AccessOutcome::Miss, AccessOutcome::UPSTREAM_ABORTED] {
            let record = record();
            record.set_outcome(outcome);
            record.client_gone();
            assert_eq!(*record.outcome.lock(), Some(outcome));
        }
        let record = record();
        record.set_outcome(AccessOutcome::Recorded);
        record.client_gone();
        let expected = AccessOutcome::Failed(FailedKind::Client);
        assert_eq!(*record.outcome.lock(), Some(expected));
    }
}
