//! Builds the report of a miss.

use super::difference::{Difference, differences};
use super::similarity;
use crate::key::DescribedPart;

/// Maximum number of recorded requests in a report.
const MAX_NEAREST: usize = 3;

/// Maximum number of differences for each of them.
const MAX_DIFFERENCES: usize = 8;

/// The request without a match. All values are redacted.
#[derive(Clone, Debug)]
pub struct MissedRequest {
    /// Name of the session.
    pub session: String,
    /// Method and target, for example `POST /v1/chat?stream=true`.
    pub request_line: String,
    /// URL of the upstream of the endpoint, if one is configured.
    pub upstream: Option<String>,
    /// Name of the plugin that derived the key. None for the built-in matcher, which `[matcher]`
    /// configures.
    pub matcher: Option<String>,
    /// The parts of its key.
    pub described: Vec<DescribedPart>,
    /// Why there is no match.
    pub cause: Cause,
}

/// Why a request has no match.
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
        /// Number of recorded requests with its key.
        recorded: usize,
    },
}

/// A recorded request that may be similar.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The number of its exchange in the cassette, from 1.
    pub ordinal: usize,
    /// Method and target, redacted.
    pub request_line: String,
    /// The parts of its key, by the same matcher.
    pub described: Vec<DescribedPart>,
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
    /// URL of the upstream of the endpoint, if one is configured.
    pub upstream: Option<String>,
    /// Why there is no match.
    pub cause: Cause,
    /// Up to three recorded requests, the nearest first.
    pub nearest: Vec<Nearest>,
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
    scored.truncate(MAX_NEAREST);
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
    differences.truncate(MAX_DIFFERENCES);
    Nearest {
        ordinal: candidate.ordinal,
        request_line: candidate.request_line,
        replayed: candidate.replayed,
        omitted_differences: total - differences.len(),
        differences,
    }
}
