//! The values in one message that its client made up.

use std::sync::Arc;

use super::minted_rules::{MintedRules, Spots};
use ouli_codec::minted::{Occurrence, ValueSet};
use ouli_codec::minted_values::{MintedValues, find};
use ouli_codec::shape::Shape;

/// What stands for such a value in reports.
pub(super) const SHOWN: &str = "<minted>";

/// The same for a UUID, which stands for no other value.
pub(super) const SHOWN_UUID: &str = "<minted UUID>";

/// True for two descriptions that differ only in what is a UUID among the values that a client made
/// up.
pub fn differ_in_shape(one: &str, other: &str) -> bool {
    let without = |text: &str| text.replace(SHOWN_UUID, SHOWN);
    one != other && without(one) == without(other)
}

/// What stands for a value in a place where the client makes it up.
pub(super) fn shown(value: &str) -> &'static str {
    match Shape::of(value) {
        Shape::Uuid => SHOWN_UUID,
        Shape::Number | Shape::Word | Shape::Token => SHOWN,
    }
}

/// The values in one message that its client made up.
#[derive(Default)]
pub(super) struct Minted<'a> {
    pub(super) rules: Option<&'a MintedRules>,
    pub(super) spots: Spots<'a>,
    /// Those of the session.
    pub(super) known: Option<&'a MintedValues>,
    /// Those that have their place in this message.
    pub(super) own: ValueSet,
}

impl<'a> Minted<'a> {
    /// True if values are searched for.
    pub(super) fn is_searching(&self) -> bool {
        let has_known = self.known.is_some_and(|known| !known.is_empty());
        self.rules.is_some() && (has_known || !self.own.is_empty())
    }

    /// The values in a text.
    pub(super) fn find(&self, text: &[u8]) -> Vec<Occurrence> {
        match self.rules {
            Some(_) => find(text, self.known, &self.own),
            None => Vec::new(),
        }
    }

    /// The value that is this text.
    pub(super) fn get(&self, text: &str) -> Option<Arc<str>> {
        let own = self.own.get(text).map(|(value, ())| Arc::clone(value));
        own.or_else(|| self.known?.get(text))
    }

    /// The indexes of the segments of a path that are values.
    pub(super) fn segments(&self, path: &str) -> Option<Vec<usize>> {
        self.rules?.segments(path)
    }

    /// The names of the headers that have values.
    pub(super) fn headers(&self) -> &'a [String] {
        self.rules.map_or(&[], MintedRules::headers)
    }

    pub(super) fn has_header(&self, name: &str) -> bool {
        self.rules.is_some_and(|rules| rules.has_header(name))
    }

    /// What stands in reports for a value in a place of a JSON body.
    pub(super) fn shown_in_json(&self, value: &str) -> &'static str {
        match !self.spots.own.is_empty() && self.get(value).is_none() {
            true => SHOWN,
            false => shown(value),
        }
    }

    /// A text for reports, without its values.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut from = 0;
        for found in self.find(text.as_bytes()) {
            shown.push_str(&text[from..found.range.start]);
            shown.push_str(SHOWN);
            from = found.range.end;
        }
        shown.push_str(&text[from..]);
        shown
    }
}
