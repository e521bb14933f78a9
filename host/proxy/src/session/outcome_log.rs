//! Logs and counts the outcome of a recording.

use std::time::Instant;

use super::outcome::Outcome;
use super::session_state::Session;
use ouli_config::Defect;
use ouli_plugin::MatchKey;
use ouli_redaction::FORGOTTEN_SECRETS;

/// Logs the outcome of a recording and counts it.
pub(super) fn report(session: &Session, outcome: Outcome) {
    log(session, &outcome);
    session.counters().count(outcome);
}

/// Counts the recorded secrets of which the session knows nothing any more, and logs it once per
/// session.
pub(super) fn count_forgotten_secrets(session: &Session) {
    let count = session.secrets().take_forgotten();
    if count == 0 {
        return;
    }
    let counters = session.total_counters();
    if !counters.has_forgotten_secrets() {
        tracing::warn!(
            session = %session.name(),
            "secrets of recorded exchanges are forgotten, and are not found where no rule looks; \
             raise `limits.secrets_per_session`, `limits.secret_bytes_per_session` or \
             `limits.secret_fingerprint_bytes_per_session`"
        );
    }
    let counters = session.counters();
    counters.count_defects(Defect::Secret, FORGOTTEN_SECRETS, count);
}

impl Session {
    /// Counts the failure of a matcher that would have made this key. Another one made it, so the
    /// answer may be one that the user did not ask for.
    pub(crate) fn count_failed_matcher(&self, key: &MatchKey) {
        if let Some(failure) = &key.failure {
            let reason = format!("{failure}; the next matcher decided");
            let outcome = Outcome::Failed(Defect::PluginError, reason);
            self.counters().count(outcome);
        }
    }
}

/// Logs why an exchange was not recorded, unless a policy excludes it. Repeated errors, such as a
/// full disk, are throttled.
fn log(session: &Session, outcome: &Outcome) {
    let throttle = session.log_throttle();
    let session = session.name();
    match outcome {
        Outcome::Refused { reason, .. } => tracing::error!(%session, "not written: {reason}"),
        Outcome::Failed(Defect::Partial | Defect::Dropped, reason) => {
            tracing::warn!(%session, "not recorded: {reason}");
        }
        Outcome::Failed(_, reason) => match throttle.record_failure(reason, Instant::now()) {
            Some(0) => tracing::error!(%session, "not recorded: {reason}"),
            Some(more) => tracing::error!(%session, "not recorded: {reason} ({more} more before)"),
            None => {}
        },
        Outcome::Skipped(reason) => tracing::debug!(%session, "not recorded: {reason}"),
        Outcome::Recorded | Outcome::RecordedFailure => {
            if let Some(count) = throttle.record_success() {
                tracing::warn!(%session, "recording again; {count} exchanges were not recorded");
            }
        }
        Outcome::Hit(_) | Outcome::Miss => {}
    }
}
