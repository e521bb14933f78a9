//! Logs and counts the outcome of a recording.

use std::time::Instant;

use super::outcome::Outcome;
use super::session_state::Session;

/// Logs the outcome of a recording and counts it.
pub(super) fn report(session: &Session, outcome: Outcome) {
    log(session, &outcome);
    session.counters().count(outcome);
}

/// Logs why an exchange was not recorded, unless a policy excludes it. Repeated errors, such as a
/// full disk, are throttled.
fn log(session: &Session, outcome: &Outcome) {
    let throttle = session.log_throttle();
    let session = session.name();
    match outcome {
        Outcome::Refused { reason, .. } => tracing::error!(%session, "not written: {reason}"),
        Outcome::Failed(reason) => match throttle.record_failure(reason, Instant::now()) {
            Some(0) => tracing::error!(%session, "not recorded: {reason}"),
            Some(more) => tracing::error!(%session, "not recorded: {reason} ({more} more before)"),
            None => {}
        },
        Outcome::Partial(reason) | Outcome::Dropped(reason) => {
            tracing::warn!(%session, "not recorded: {reason}");
        }
        Outcome::Skipped(reason) => tracing::debug!(%session, "not recorded: {reason}"),
        Outcome::Recorded | Outcome::RecordedFailure => {
            if let Some(count) = throttle.record_success() {
                tracing::warn!(%session, "recording again; {count} exchanges were not recorded");
            }
        }
        Outcome::Hit | Outcome::Miss => {}
    }
}
