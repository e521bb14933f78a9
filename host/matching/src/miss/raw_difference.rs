//! Collects the differences between two requests, before their remedies are known.

use super::truncate::{shorten, shorten_both};
use ouli_codec::json::escape;

/// Where in a part a difference is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// The part as a whole.
    Whole,
    /// The part is of another kind on each side.
    Kind,
    /// Equal pieces in another order.
    Order,
    /// A parameter of the query or a header.
    Name(String),
    /// A field of a form or a part of a multipart body.
    Field(String),
    /// A part of a multipart body that has no name, counted from one.
    Unnamed(usize),
    /// In a JSON document.
    Pointer(Vec<Step>),
}

/// One step of a JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Name(String),
    Index(usize),
}

/// A difference before its remedy is known.
pub(super) struct RawDifference {
    pub(super) part: String,
    pub(super) place: Location,
    pub(super) live: Option<String>,
    pub(super) recorded: Option<String>,
}

/// The pointer's text (RFC 6901, section 3).
pub(super) fn pointer(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        text.push('/');
        match step {
            Step::Name(name) => text.push_str(&escape(name)),
            Step::Index(index) => text.push_str(&index.to_string()),
        }
    }
    text
}

/// The differences found so far. Those past the first [`KEPT`] are only counted.
#[derive(Default)]
pub(super) struct DifferenceCollector {
    pub(super) part: String,
    pub(super) kept: Vec<RawDifference>,
    pub(super) total: usize,
}

/// More than a report shows, so that what several array elements have in common is seen.
const KEPT: usize = 64;

impl DifferenceCollector {
    pub(super) fn add(
        &mut self,
        place: impl FnOnce() -> Location,
        live: impl FnOnce() -> Option<String>,
        recorded: impl FnOnce() -> Option<String>,
    ) {
        self.total += 1;
        if self.kept.len() >= KEPT {
            return;
        }
        let (live, recorded) = match (live(), recorded()) {
            (Some(live), Some(recorded)) => {
                let (live, recorded) = shorten_both(&live, &recorded);
                (Some(live), Some(recorded))
            }
            (live, recorded) => (
                live.as_deref().map(shorten),
                recorded.as_deref().map(shorten),
            ),
        };
        self.kept.push(RawDifference {
            part: self.part.clone(),
            place: place(),
            live,
            recorded,
        });
    }
}
