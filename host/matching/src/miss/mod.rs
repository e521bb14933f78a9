//! The report of a miss: what comes nearest, where it differs, and what would make it match.

mod difference;
#[cfg(test)]
mod difference_tests;
mod json;
mod pairs;
mod problem;
mod rank;
mod remedy;
mod similarity;
#[cfg(test)]
mod tests;
mod text;
mod truncate;

pub use difference::Difference;
pub use rank::rank;
pub use remedy::Remedy;

use crate::key::Described;

/// How many recorded requests a report names.
const NEAREST: usize = 3;

/// How many differences a report names for each of them.
const DIFFERENCES: usize = 8;

/// The request that found no answer. All of it is the redacted view.
#[derive(Clone, Debug)]
pub struct Missed {
    /// Name of the session.
    pub session: String,
    /// Method and target, for example `POST /v1/chat?stream=true`.
    pub line: String,
    /// URL of the endpoint's upstream, where one is configured.
    pub upstream: Option<String>,
    /// Name of the plugin that made the key; none for the built-in matcher, which `[matcher]`
    /// sets.
    pub matcher: Option<String>,
    /// The parts of its key.
    pub described: Vec<Described>,
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
    Unequal,
    /// Recorded requests have its key, but all were replayed and `exhausted = "miss"` is set.
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
    pub line: String,
    /// The parts of its key, by the same matcher.
    pub described: Vec<Described>,
    /// True where it was replayed already.
    pub used: bool,
}

/// A miss, ready to be shown.
#[derive(Clone, Debug)]
pub struct Miss {
    /// Name of the session.
    pub session: String,
    /// Method and target.
    pub line: String,
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
    pub line: String,
    /// True where it was replayed already.
    pub used: bool,
    /// At most eight differences.
    pub differences: Vec<Difference>,
    /// How many differences more there are.
    pub more: usize,
}

/// Compares the candidates, which [`rank`] chose, part by part, and keeps the nearest. Of equals
/// those that were not replayed yet go first, then the earlier ones.
pub fn report(missed: Missed, candidates: Vec<Candidate>) -> Miss {
    let mut scored: Vec<_> = candidates
        .into_iter()
        .map(|candidate| {
            let score = similarity::score(&missed.described, &candidate.described);
            (score, candidate)
        })
        .collect();
    scored.sort_by(|(left_score, left), (right_score, right)| {
        let by_score = right_score.cmp(left_score);
        by_score.then((left.used, left.ordinal).cmp(&(right.used, right.ordinal)))
    });
    scored.truncate(NEAREST);
    let matcher = missed.matcher.as_deref();
    let nearest = scored
        .into_iter()
        .map(|(_, candidate)| nearest(&missed.described, candidate, matcher))
        .collect();
    Miss {
        session: missed.session,
        line: missed.line,
        upstream: missed.upstream,
        cause: missed.cause,
        nearest,
    }
}

fn nearest(live: &[Described], candidate: Candidate, matcher: Option<&str>) -> Nearest {
    let found = difference::differences(live, &candidate.described, matcher);
    let total = found.total;
    let mut differences = found.list;
    differences.truncate(DIFFERENCES);
    Nearest {
        ordinal: candidate.ordinal,
        line: candidate.line,
        used: candidate.used,
        more: total - differences.len(),
        differences,
    }
}
