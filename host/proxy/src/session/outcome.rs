//! The outcome of a request.

/// The outcome of a request. The reasons are texts for logs and reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered from the cassette.
    Hit,
    /// Not found in the cassette.
    Miss,
    /// Answered by the upstream and recorded.
    Recorded,
    /// The exchange failed and was recorded as failed.
    RecordedFailure,
    /// Answered by the upstream; not recorded because a policy excludes it.
    Skipped(String),
    /// Answered by the upstream; not recorded because it ended early.
    Partial(String),
    /// Answered by the upstream; not recorded because the recorder was full.
    Dropped(String),
    /// Answered by the upstream; not recorded because the guard rejected it.
    Refused {
        /// The id of the rule.
        rule: String,
        /// What the rule found, without the secret.
        reason: String,
    },
    /// Answered by the upstream; not recorded because of an error.
    Failed(String),
}
