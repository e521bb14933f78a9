//! The values in one message that its client made up.

use std::sync::Arc;

use super::body::{body_kind, for_each_text};
use super::exclusions::Exclusions;
use super::minted_rules::{MintedRules, Spots};
use super::part::KeyPart;
use super::path::normalized;
use ouli_codec::MessageView;
use ouli_codec::identity::has_hole;
use ouli_codec::json::{Kind, Node};
use ouli_codec::minted::{MintedValues, Occurrence, ValueSet, find, is_followed};

/// What stands for such a value in reports.
pub(super) const SHOWN: &str = "<minted>";

/// The values in one message that its client made up.
#[derive(Default)]
pub(super) struct Minted<'a> {
    rules: Option<&'a MintedRules>,
    pub(super) spots: Spots<'a>,
    /// Those of the session.
    known: Option<&'a MintedValues>,
    /// Those that have their place in this message.
    own: ValueSet,
}

impl<'a> Minted<'a> {
    /// The values of a message by the rules among these parts of its key.
    pub(super) fn of(parts: &'a [KeyPart], message: &'a dyn MessageView) -> Self {
        let rules = parts.iter().find_map(|part| match part {
            KeyPart::Minted(rules) => Some(rules),
            _ => None,
        });
        let Some(rules) = rules else {
            return Self::default();
        };
        let mut minted = Self {
            rules: Some(rules),
            spots: Spots::default(),
            known: message.minted_values(),
            own: ValueSet::default(),
        };
        let has_body = parts
            .iter()
            .any(|part| matches!(part, KeyPart::Body { .. }));
        let query = match message.kind() {
            "request" => message.query(),
            _ => &[],
        };
        minted.spots = rules.spots(query, body_kind(message, has_body));
        if message.kind() == "request" {
            minted.collect_head(rules, message);
        }
        if has_body && !minted.spots.followed.is_empty() {
            for_each_text(message, &minted.spots, |text| {
                add(&mut minted.own, text);
            });
        }
        minted
    }

    fn collect_head(&mut self, rules: &MintedRules, message: &dyn MessageView) {
        let path = normalized(message.path());
        for segment in rules.segments(&path).into_iter().flatten() {
            add(
                &mut self.own,
                path.split('/').nth(segment).unwrap_or_default(),
            );
        }
        for (name, value) in message.query() {
            if self.spots.has_query(name) {
                add(&mut self.own, value);
            }
        }
        for name in rules.headers() {
            for value in message.fields().get_all(name) {
                add(&mut self.own, value.to_str().unwrap_or_default());
            }
        }
    }

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
        let own = self.own.get(text).cloned();
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

fn add(own: &mut ValueSet, text: &str) {
    // A secret has an identity already.
    if is_followed(text) && !has_hole(text.as_bytes()) {
        own.insert(&text.into());
    }
}

/// Calls `take` with the strings and numbers at the places below a value.
pub(super) fn for_each_value(node: Node<'_>, places: &Exclusions<'_>, take: &mut dyn FnMut(&str)) {
    if !places.has_spots() {
        return;
    }
    match node.kind() {
        Kind::String(text) if places.is_minted() => take(&text),
        Kind::Number if places.is_minted() => take(node.text()),
        Kind::Array(elements) => {
            for (index, element) in elements.enumerate() {
                if let Some(places) = places.element(index) {
                    for_each_value(element, &places, take);
                }
            }
        }
        Kind::Object(members) => {
            for member in members {
                if let Some(places) = places.member(&member.name) {
                    for_each_value(member.value, &places, take);
                }
            }
        }
        Kind::String(_) | Kind::Number | Kind::Bool(_) | Kind::Null => {}
    }
}
