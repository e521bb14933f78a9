//! One reason for which a verdict fails.

use std::collections::BTreeMap;

use serde::Serialize;

use ouli_config::Defect;
use ouli_redaction::{FORGOTTEN_SECRETS, FORGOTTEN_SESSION, OVERFLOW};

/// The defects that were counted, by the name of their kind and by reason.
pub type DefectCounts = BTreeMap<&'static str, BTreeMap<String, u64>>;

/// One reason for which a verdict fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The name of its kind, as in `fail_on`.
    pub kind: &'static str,
    /// How often it was counted.
    pub count: u64,
    /// The reason.
    pub reason: String,
    /// The line of the summary.
    pub text: String,
}

impl Failure {
    pub(super) fn new(defect: Defect, count: u64, reason: &str) -> Self {
        Self {
            kind: defect.name(),
            count,
            reason: reason.to_owned(),
            text: line(label_of(defect, reason), count, reason, defect.name()),
        }
    }

    /// The failures of the counts of this kind, one for each reason.
    pub(super) fn of_counts(counts: &DefectCounts, defect: Defect) -> Vec<Self> {
        let of_kind = counts.get(defect.name()).into_iter().flatten();
        of_kind
            .map(|(reason, count)| Self::new(defect, *count, &explained(defect, reason)))
            .collect()
    }
}

/// The line of a defect that does not fail the verdict.
pub(super) fn note(kind: &str, count: u64, reason: &str) -> String {
    let defect = Defect::all().iter().find(|defect| defect.name() == kind);
    let (label, reason) = match defect {
        Some(defect) => {
            let reason = explained(*defect, reason);
            (label_of(*defect, &reason), reason)
        }
        None => (NOT_RECORDED, reason.to_owned()),
    };
    line(&label.to_lowercase(), count, &reason, kind)
}

fn line(label: &str, count: u64, reason: &str, kind: &str) -> String {
    format!("{label}: {count} ({reason}) [{kind}]")
}

const NOT_RECORDED: &str = "NOT RECORDED";

/// Explains [`FORGOTTEN_SECRETS`].
const FORGOTTEN: &str = "recorded secrets that are not found where no rule looks; raise \
                         limits.secrets_per_session, limits.secret_bytes_per_session or \
                         limits.secret_fingerprint_bytes_per_session";

/// Explains [`FORGOTTEN_SESSION`]. No secret was found.
const SESSION_FORGOTTEN: &str = "the session was closed and is forgotten with the secrets that it \
                                 had recorded, so they could not be masked; raise \
                                 limits.closed_session_memory";

/// Explains [`OVERFLOW`].
const TOO_MANY_SECRETS: &str = "more secrets than a session remembers; raise \
                                limits.secrets_per_session or limits.secret_bytes_per_session";

fn label_of(defect: Defect, reason: &str) -> &'static str {
    match reason {
        FORGOTTEN => "SECRETS FORGOTTEN",
        _ => label(defect),
    }
}

fn label(defect: Defect) -> &'static str {
    match defect {
        Defect::Miss => "NOT REPLAYED",
        Defect::RefusedRequest => "NOT SERVED",
        Defect::PluginError => "PLUGIN FAILED",
        Defect::UpstreamError
        | Defect::Partial
        | Defect::Undecodable
        | Defect::Secret
        | Defect::Dropped
        | Defect::NotWritten => NOT_RECORDED,
        Defect::Damage => "DAMAGED",
        Defect::Incomplete => "INCOMPLETE",
        Defect::Edited => "EDITED",
        Defect::Unused => "UNUSED",
        Defect::Repeat => "REPEATED",
        Defect::Unfinished => "UNFINISHED",
        Defect::Assumed => "ASSUMED",
        Defect::NoRequests => "REQUESTS",
    }
}

/// The reason with what a reader cannot know.
fn explained(defect: Defect, reason: &str) -> String {
    match defect {
        Defect::Secret => match reason {
            FORGOTTEN_SECRETS => FORGOTTEN.to_owned(),
            FORGOTTEN_SESSION => SESSION_FORGOTTEN.to_owned(),
            OVERFLOW => TOO_MANY_SECRETS.to_owned(),
            rule => format!("a secret was found in it by the rule {rule}"),
        },
        Defect::Dropped => format!("{reason}, see on_recorder_full"),
        Defect::UpstreamError => format!("{reason}; `record_failures = true` records it"),
        _ => reason.to_owned(),
    }
}
