//! Builds the report of a miss.

use super::difference::{Difference, differences};
use super::similarity;
use crate::key::DescribedPart;

/// How many recorded requests a report names.
const NEAREST: usize = 3;

/// How many differences a report names for each of them.
const DIFFERENCES: usize = 8;

/// The request that found no answer. All of it is the redacted view.
#[derive(Clone, Debug)]
pub struct MissedRequest {
    /// Name of the session.
    pub session: String,
    /// Method and target, for example `POST /v1/chat?stream=true`.
    pub request_line: String,
    /// URL of the endpoint's upstream, where one is configured.
    pub upstream: Option<String>,
    /// Name of the plugin that made the key; none for the built-in matcher, which `[matcher]`
    /// sets.
    pub matcher: Option<String>,
    /// The parts of its key.
    pub described: Vec<DescribedPart>,
    /// Why there is no answer.
    pub cause: Cause,
}

/// Why a request found no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The session has no cassette.
    NoCassette,
    /// The session's cassette holds no exchange.
    Empty,
    /// No recorded request has its key.
    NoMatch,
    /// Recorded requests have its key, but all were replayed and `on_exhausted = "miss"` is set.
    Exhausted {
        /// How many have its key.
        recorded: usize,
    },
}

/// A recorded request that may be near.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The number of its exchange in the cassette, as people count.
    pub ordinal: usize,
    /// Method and target, redacted.
    pub request_line: String,
    /// The parts of its key, by the same matcher.
    pub described: Vec<DescribedPart>,
    /// True where it was replayed already.
    pub replayed: bool,
}

/// A miss, ready to be shown.
#[derive(Clone, Debug)]
pub struct Miss {
    /// Name of the session.
    pub session: String,
    /// Method and target.
    pub request_line: String,
    /// URL of the endpoint's upstream, where one is configured.
    pub upstream: Option<String>,
    /// Why there is no answer.
    pub cause: Cause,
    /// At most three recorded requests, the nearest first.
    pub nearest: Vec<Nearest>,
}

/// A recorded request, and where the live one differs.
#[derive(Clone, Debug)]
pub struct Nearest {
    /// The number of its exchange in the cassette.
    pub ordinal: usize,
    /// Method and target.
    pub request_line: String,
    /// True where it was replayed already.
    pub replayed: bool,
    /// At most eight differences.
    pub differences: Vec<Difference>,
    /// How many differences more there are.
    pub omitted_differences: usize,
}

/// Compares the candidates, which [`rank`] chose, part by part, and keeps the nearest. Of equals
/// those that were not replayed yet go first, then the earlier ones.
pub fn report(missed: MissedRequest, candidates: Vec<Candidate>) -> Miss {
    let mut scored: Vec<_> = candidates
        .into_iter()
        .map(|candidate| {
            let score = similarity::score(&missed.described, &candidate.described);
            (score, candidate)
        })
        .collect();
    scored.sort_by(|(left_score, left), (right_score, right)| {
        let by_score = right_score.cmp(left_score);
        by_score.then((left.replayed, left.ordinal).cmp(&(right.replayed, right.ordinal)))
    });
    scored.truncate(NEAREST);
    let matcher = missed.matcher.as_deref();
    let nearest = scored
        .into_iter()
        .map(|(_, candidate)| nearest(&missed.described, candidate, matcher))
        .collect();
    Miss {
        session: missed.session,
        request_line: missed.request_line,
        upstream: missed.upstream,
        cause: missed.cause,
        nearest,
    }
}

fn nearest(live: &[DescribedPart], candidate: Candidate, matcher: Option<&str>) -> Nearest {
    let found = differences(live, &candidate.described, matcher);
    let total = found.total;
    let mut differences = found.list;
    differences.truncate(DIFFERENCES);
    Nearest {
        ordinal: candidate.ordinal,
        request_line: candidate.request_line,
        replayed: candidate.replayed,
        omitted_differences: total - differences.len(),
        differences,
    }
}
