//! Collects the differences between two requests, before their remedies are known.

use super::truncate::{shorten, shorten_both};
use ouli_codec::json::escape;

/// The location of a difference in a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// The whole part.
    Whole,
    /// The whole path, in this form only, such as its case.
    PathForm(&'static str),
    /// The whole path, which has other values in the places of this pattern.
    PathPattern(String),
    /// The kinds of value differ, such as JSON and a form.
    Kind,
    /// Equal components in a different order.
    Order,
    /// A query parameter or a header.
    Name(String),
    /// A form field or a named part of a multipart body.
    Field(String),
    /// A part of a multipart body without a name, by its number from 1.
    Unnamed(usize),
    /// A value in a JSON document.
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
    pub(super) location: Location,
    pub(super) live: Option<String>,
    pub(super) recorded: Option<String>,
}

/// The text of a JSON pointer (RFC 6901, section 3).
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

/// The differences found so far. After the first [`MAX_KEPT`] they are only counted.
#[derive(Default)]
pub(super) struct DifferenceCollector {
    pub(super) part: String,
    pub(super) kept: Vec<RawDifference>,
    pub(super) total: usize,
}

/// More than a report shows, so that one pointer can be derived for several array elements.
const MAX_KEPT: usize = 64;

impl DifferenceCollector {
    pub(super) fn add(
        &mut self,
        location: impl FnOnce() -> Location,
        live: impl FnOnce() -> Option<String>,
        recorded: impl FnOnce() -> Option<String>,
    ) {
        self.total += 1;
        if self.kept.len() >= MAX_KEPT {
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
            location: location(),
            live,
            recorded,
        });
    }
}
