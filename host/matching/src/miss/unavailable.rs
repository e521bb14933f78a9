//! Recorded exchanges that a request cannot be compared with.

use serde_json::{Value, json};

/// Maximum number of damaged exchanges that a report names.
const MAX_NAMED: usize = 3;

/// The exchanges of a cassette that cannot be replayed. One of them may be the one that a request
/// without a match belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unavailable {
    /// The damaged ones.
    pub damaged: Vec<DamagedExchange>,
    /// Ordinals of those that were edited, which `strict` refuses.
    pub edited: Vec<u64>,
    /// The number of lengths at which recorded uploads broke off that the request was not compared
    /// at (`limits.truncated_comparison`).
    pub uncompared: usize,
}

/// A part of a cassette that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DamagedExchange {
    /// The ordinal of its exchange; 0 for the header of the cassette.
    pub ordinal: u64,
    /// The line of the error, from 1.
    pub line: u64,
}

impl Unavailable {
    pub(super) fn is_damaged(&self) -> bool {
        !self.damaged.is_empty()
    }

    /// The damaged exchanges as one clause; none if there is no damage.
    pub(super) fn damage(&self) -> Option<String> {
        let (first, others) = self.damaged.split_first()?;
        if others.is_empty() {
            let name = first.name();
            return Some(format!("{name} is damaged and cannot be compared"));
        }
        let names = self.damaged.iter().take(MAX_NAMED);
        let names: Vec<_> = names.map(DamagedExchange::name).collect();
        let names = names.join(", ");
        Some(match self.damaged.len().saturating_sub(MAX_NAMED) {
            0 => format!("{names} are damaged and cannot be compared"),
            more => format!("{names} and {more} more are damaged and cannot be compared"),
        })
    }

    /// The edited exchanges as one clause; none if there are none.
    pub(super) fn edits(&self) -> Option<String> {
        match self.edited.as_slice() {
            [] => None,
            [one] => Some(format!(
                "exchange {one} was edited and is not replayed (strict)"
            )),
            several => Some(format!(
                "exchanges {several:?} were edited and are not replayed (strict)"
            )),
        }
    }

    /// What was not compared as one clause; none if all was.
    pub(super) fn limited(&self) -> Option<String> {
        let uncompared = self.uncompared;
        let clause = || {
            format!(
                "recorded uploads that broke off at {uncompared} other lengths were not compared \
                 (limits.truncated_comparison)"
            )
        };
        (uncompared > 0).then(clause)
    }

    /// The exchanges for the problem document; none if all can be replayed.
    pub(super) fn to_json(&self) -> Option<Value> {
        if *self == Self::default() {
            return None;
        }
        let damaged = |it: &DamagedExchange| json!({"exchange": it.ordinal, "line": it.line});
        Some(json!({
            "damaged": self.damaged.iter().map(damaged).collect::<Vec<_>>(),
            "edited": self.edited,
            "uncompared": self.uncompared,
        }))
    }
}

impl DamagedExchange {
    fn name(&self) -> String {
        let line = self.line;
        match self.ordinal {
            0 => format!("the header of the cassette (line {line})"),
            ordinal => format!("exchange {ordinal} of the cassette (line {line})"),
        }
    }
}
