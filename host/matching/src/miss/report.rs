//! Builds the report of a miss.

use super::advice::Advice;
use super::cause::Cause;
use super::change::Change;
use super::difference::{Difference, Differences, differences};
use super::guidance::{Guidance, Remedy};
use super::identity_conflict::IdentityConflict;
use super::resolution::Resolution;
use super::unavailable::Unavailable;
use super::{selection, similarity, trial};
use crate::key::{DescribedPart, KeyedMessage};
use ouli_message::Fields;

/// Maximum number of recorded requests in a report.
const MAX_NEAREST: usize = 3;

/// Maximum number of differences for each of them.
const MAX_DIFFERENCES: usize = 8;

/// Maximum number of further exchanges that a remedy names.
const MAX_ALSO_MATCHES: usize = 3;

/// The request without a match. All values are redacted.
pub struct MissedRequest {
    /// Name of the session.
    pub session: String,
    /// Method and target, for example `POST /v1/chat?stream=true`.
    pub request_line: String,
    /// The request with the parts of its key.
    pub message: KeyedMessage,
    /// Why there is no match.
    pub cause: Cause,
    /// The recorded exchanges that were not compared.
    pub unavailable: Unavailable,
    /// What the report needs to know of the gateway.
    pub guidance: Guidance,
}

/// A recorded request that may be similar.
pub struct Candidate {
    /// The number of its exchange in the cassette, from 1.
    pub ordinal: usize,
    /// Method and target, redacted.
    pub request_line: String,
    /// The request with the parts of its key.
    pub message: KeyedMessage,
    /// The fields of the recorded response. Its `vary` names what selected it.
    pub response: Fields,
    /// True if it was already replayed.
    pub replayed: bool,
}

/// The report of a miss.
#[derive(Clone, Debug)]
pub struct Miss {
    /// Name of the session.
    pub session: String,
    /// Method and target.
    pub request_line: String,
    /// Why there is no match.
    pub cause: Cause,
    /// The recorded exchanges that were not compared.
    pub unavailable: Unavailable,
    /// Up to three recorded requests, the nearest first.
    pub nearest: Vec<Nearest>,
    /// Settings under which the nearest of them matches that settings can make match.
    pub remedy: Option<Remedy>,
    /// The command that helps. None if there is none.
    pub command: Option<Advice>,
}

/// A recorded request with its differences from the live one.
#[derive(Clone, Debug)]
pub struct Nearest {
    /// The number of its exchange in the cassette.
    pub ordinal: usize,
    /// Method and target.
    pub request_line: String,
    /// True if it was already replayed.
    pub replayed: bool,
    /// Up to eight differences.
    pub differences: Vec<Difference>,
    /// Number of further differences.
    pub omitted_differences: usize,
}

/// Compares the candidates chosen by [`rank`](super::rank()) part by part and reports the nearest.
/// Among equals, those not replayed yet come first, then earlier ones.
pub fn report(missed: MissedRequest, candidates: Vec<Candidate>) -> Miss {
    let live = Described::new(missed.message);
    let mut candidates: Vec<_> = candidates
        .into_iter()
        .map(|candidate| RankedCandidate::new(&live, candidate))
        .collect();
    candidates.sort_by(|left, right| {
        let by_score = right.score.cmp(&left.score);
        by_score.then((left.replayed, left.ordinal).cmp(&(right.replayed, right.ordinal)))
    });
    let guidance = &missed.guidance;
    // Bodies of another path say nothing if there is one of the same path.
    let has_path = candidates.iter().any(|it| it.has_path_of(&live));
    let mut remedy = None;
    let mut nearest = Vec::with_capacity(MAX_NEAREST);
    for candidate in candidates.iter().take(MAX_NEAREST) {
        let mut found = compare(&live, candidate, guidance);
        // A setting would replay another exchange in the place of the damaged one.
        let is_sure = missed.cause == Cause::NoMatch && !missed.unavailable.is_damaged();
        if is_sure && remedy.is_none() {
            remedy = tried_remedy(&live, candidate, &found, &candidates, guidance);
        }
        if let Cause::OtherIdentity(conflict) = &missed.cause
            && conflict.exchange == candidate.ordinal as u64
            && remedy.is_none()
        {
            remedy = identity_remedy(&live, candidate, conflict, guidance);
        }
        if has_path && !candidate.has_path_of(&live) {
            found.list.retain(|difference| difference.part != "body");
        }
        nearest.push(candidate.report(found));
    }
    let command = Advice::for_cause(&missed.cause, missed.unavailable.is_damaged(), guidance);
    Miss {
        session: missed.session,
        request_line: missed.request_line,
        cause: missed.cause,
        unavailable: missed.unavailable,
        nearest,
        remedy,
        command,
    }
}

/// A message and its parts with their values.
struct Described {
    message: KeyedMessage,
    parts: Vec<DescribedPart>,
}

impl Described {
    fn new(message: KeyedMessage) -> Self {
        Self {
            parts: message.describe(),
            message,
        }
    }
}

/// A candidate with its similarity to the live request.
struct RankedCandidate {
    score: u64,
    ordinal: usize,
    replayed: bool,
    request_line: String,
    recorded: Described,
    response: Fields,
    /// The headers for which the server may have selected another response.
    selecting: Vec<String>,
}

impl RankedCandidate {
    fn new(live: &Described, candidate: Candidate) -> Self {
        let recorded = Described::new(candidate.message);
        let response = candidate.response;
        Self {
            score: similarity::score(&live.parts, &recorded.parts),
            selecting: selection::mismatches(&live.message, (&recorded.message, &response)),
            response,
            ordinal: candidate.ordinal,
            replayed: candidate.replayed,
            request_line: candidate.request_line,
            recorded,
        }
    }

    /// True if both requests have the same path.
    fn has_path_of(&self, live: &Described) -> bool {
        let path = |parts: &[DescribedPart]| {
            let path = parts.iter().find(|part| part.name == "path");
            path.map(|part| part.value.clone())
        };
        path(&live.parts) == path(&self.recorded.parts)
    }

    fn report(&self, found: Differences) -> Nearest {
        let total = found.total;
        let mut differences = found.list;
        differences.truncate(MAX_DIFFERENCES);
        Nearest {
            ordinal: self.ordinal,
            request_line: self.request_line.clone(),
            replayed: self.replayed,
            omitted_differences: total - differences.len(),
            differences,
        }
    }
}

/// The differences between two messages. A setting is named only if the difference disappears with
/// it.
fn compare(live: &Described, candidate: &RankedCandidate, guidance: &Guidance) -> Differences {
    let (recorded, selecting) = (&candidate.recorded, &candidate.selecting);
    if !selecting.is_empty() {
        let (live, recorded) = selection::with_headers(&live.message, &recorded.message, selecting);
        let (live, recorded) = (Described::new(live), Described::new(recorded));
        return compare_parts(&live, &recorded, guidance);
    }
    compare_parts(live, recorded, guidance)
}

fn compare_parts(live: &Described, recorded: &Described, guidance: &Guidance) -> Differences {
    let matcher = live.message.matcher.as_deref();
    let mut found = differences(&live.parts, &recorded.parts, matcher);
    for difference in &mut found.list {
        if let Resolution::Setting(change) = &mut difference.resolution {
            *change = change.clone().under(&guidance.matcher);
        }
    }
    let changes = changes(&found);
    if changes.is_empty() {
        return found;
    }
    let [live, recorded] = [live, recorded].map(|side| trial::changed(&side.message, &changes));
    let left = differences(&live.describe(), &recorded.describe(), matcher);
    for difference in &mut found.list {
        let is_left = left.has(&difference.part, difference.at.as_deref());
        if is_left && matches!(difference.resolution, Resolution::Setting(_)) {
            difference.resolution = Resolution::Hint("no setting ignores it".to_owned());
        }
    }
    found
}

fn changes(found: &Differences) -> Vec<Change> {
    let change = |difference: &Difference| match &difference.resolution {
        Resolution::Setting(change) => Some(change.clone()),
        Resolution::Hint(_) | Resolution::PathForm(_) => None,
    };
    found.list.iter().filter_map(change).collect()
}

/// The change of the settings under which the secret that differs does not count; none if others
/// are left, since it is not known what they stand for.
fn identity_remedy(
    live: &Described,
    candidate: &RankedCandidate,
    conflict: &IdentityConflict,
    guidance: &Guidance,
) -> Option<Remedy> {
    let (live, recorded) = (&live.message, &candidate.recorded.message);
    let is_summarized = live.view.is_summarized() || recorded.view.is_summarized();
    if is_summarized
        || live.matcher.is_some()
        || recorded.matcher.is_some()
        || !candidate.selecting.is_empty()
    {
        return None;
    }
    let changes = [conflict.change(&live.parts)?.under(&guidance.matcher)];
    let [live, recorded] = [live, recorded].map(|it| trial::changed(it, &changes).key());
    let is_equal = live == recorded && live.identities().is_empty();
    is_equal.then(|| Remedy::new(guidance, candidate.ordinal, &changes, Vec::new()))
}

/// The smallest change of the settings under which the candidate matches; none if there is none.
fn tried_remedy(
    live: &Described,
    candidate: &RankedCandidate,
    found: &Differences,
    candidates: &[RankedCandidate],
    guidance: &Guidance,
) -> Option<Remedy> {
    let recorded = &candidate.recorded.message;
    let changes = selection::with_ignored(changes(found), &candidate.selecting);
    let changes = trial::smallest_set(&live.message, (recorded, &candidate.response), changes)?;
    let (key, new_key) = (recorded.key(), trial::changed(recorded, &changes).key());
    let also_matches = candidates.iter().filter(|other| {
        let (message, response) = (&other.recorded.message, &other.response);
        let is_selected = |live: &KeyedMessage, message: &KeyedMessage| {
            selection::mismatches(live, (message, response)).is_empty()
        };
        let is_equal = message.key() == key && is_selected(recorded, message);
        let changed = |message| trial::changed(message, &changes);
        !is_equal
            && changed(message).key() == new_key
            && is_selected(&changed(&live.message), &changed(message))
    });
    let also_matches = also_matches.take(MAX_ALSO_MATCHES);
    let also_matches = also_matches.map(|other| other.ordinal).collect();
    let exchange = candidate.ordinal;
    Some(Remedy::new(guidance, exchange, &changes, also_matches))
}
