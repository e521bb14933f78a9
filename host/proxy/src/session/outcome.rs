//! The outcome of a request.

use super::hit::Hit;
use ouli_config::Defect;

/// The outcome of a request. The reasons are texts for logs and reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered from the cassette.
    Hit(Hit),
    /// Not found in the cassette.
    Miss,
    /// Answered by the upstream and recorded.
    Recorded,
    /// The exchange failed and was recorded as failed.
    RecordedFailure,
    /// Answered by the upstream; not recorded because a policy excludes it.
    Skipped(String),
    /// Answered by the upstream; not recorded because the guard rejected it.
    Refused {
        /// The id of the rule.
        rule: String,
        /// What the rule found, without the secret.
        reason: String,
    },
    /// Not recorded or not replayed because of another defect.
    Failed(Defect, String),
}
