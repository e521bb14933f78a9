//! Redaction of protobuf messages: by field names if a descriptor is known, and of every text in
//! the wire format.

use std::ops::Range;

use bytes::Bytes;

use crate::free_text::TextLocation;
use crate::pass::{Outcome, Redaction, RedactionPass};
use crate::splice::{self, Replacement};
use ouli_codec::grpc::MessageType;
use ouli_codec::grpc::wire::{Wire, fields, is_message, with_length};
use ouli_codec::json::{Document, Kind, Node};

/// Maximum nesting of messages, the limit of common protobuf decoders.
const MAX_DEPTH: usize = 100;

impl Redaction<'_> {
    /// Redacts a message. With its type, rules for JSON members apply to the fields of these names.
    /// Bytes that are not a message are redacted as text if they are text.
    pub fn redact_protobuf(
        &self,
        message: &Bytes,
        message_type: Option<&MessageType>,
    ) -> Outcome<Bytes> {
        self.run_to_fixpoint(message.clone(), |pass, message| {
            if let Some(new) =
                message_type.and_then(|message_type| pass.redact_by_names(message, message_type))
            {
                *message = new;
            }
            if let Some(new) = pass.redact_wire(message, MAX_DEPTH) {
                *message = new.into();
            }
            // Bytes that merely parse as fields may split a secret between two of them.
            if let Some(new) = pass.redact_known_secrets(message) {
                *message = new.into();
            }
        })
    }
}

impl RedactionPass<'_> {
    /// Replaces the values that rules name by member or pointer in the JSON view of the message,
    /// and the numbers that are secrets. Other texts are redacted in the wire format.
    fn redact_by_names(&mut self, message: &Bytes, message_type: &MessageType) -> Option<Bytes> {
        let view = message_type.map_for_search(message)?;
        let before = Document::parse(Bytes::copy_from_slice(view.json().as_bytes()))?;
        let leaves = leaves(&before);
        if leaves.len() != view.leaves() {
            return None;
        }
        let named = self.redact_named_values(&before);
        let mut changes = named.map_or_else(Vec::new, |after| changed_leaves(&leaves, after));
        let is_new = |at: &usize| changes.binary_search_by_key(at, |(at, _)| *at).is_ok();
        let numbers: Vec<_> = (0..leaves.len())
            .filter(|at| view.is_number(*at) && !is_new(at))
            .collect();
        let texts = numbers.iter().map(|at| leaves[*at].text());
        let found = self.redact_number_list(texts);
        changes.extend(found.into_iter().map(|(at, text)| (numbers[at], text)));
        (!changes.is_empty()).then(|| view.rewrite(message, &changes).into())
    }

    /// The indexes of the numbers that are secrets, with their placeholders.
    fn redact_number_list<'a>(
        &mut self,
        numbers: impl Iterator<Item = &'a str>,
    ) -> Vec<(usize, String)> {
        let mut array = String::from("[");
        for (at, number) in numbers.enumerate() {
            array.push_str(if at == 0 { "" } else { "," });
            array.push_str(number);
        }
        array.push(']');
        let Some(after) = self.redact_strings(&array, 0) else {
            return Vec::new();
        };
        let array = Document::parse(array.into());
        array.map_or_else(Vec::new, |array| changed_leaves(&leaves(&array), after))
    }

    /// Redacts the texts of a message and adapts the lengths of the fields around them. None if
    /// nothing changes.
    fn redact_wire(&mut self, message: &Bytes, depth: usize) -> Option<Vec<u8>> {
        let whole = 0..message.len();
        if !is_message(message, whole.clone()) {
            return self.redact_non_message(message);
        }
        let mut replacements = Vec::new();
        self.redact_wire_fields(message, whole, depth, &mut replacements);
        splice::bytes(message, replacements)
    }

    /// Redacts the fields in a range of a message. A group has no length to adapt.
    fn redact_wire_fields(
        &mut self,
        message: &Bytes,
        part: Range<usize>,
        depth: usize,
        replacements: &mut Vec<Replacement<Vec<u8>>>,
    ) {
        for field in fields(message, part).flatten() {
            match field.wire {
                Wire::Len(content) => {
                    if let Some(new) = self.redact_length_delimited(&message.slice(content), depth)
                    {
                        replacements.push(Replacement::new(field.range, with_length(&new)));
                    }
                }
                Wire::Group(content) if depth > 0 => {
                    self.redact_wire_fields(message, content, depth - 1, replacements);
                }
                Wire::Group(_) | Wire::Varint(_) | Wire::Fixed64(_) | Wire::Fixed32(_) => {}
            }
        }
    }

    /// Redacts the content of a length-delimited field: a message, a text, or bytes. A short
    /// message whose first field is a text may itself be valid text. It is redacted as a message
    /// first: as a text it would keep a wrong inner length.
    fn redact_length_delimited(&mut self, content: &Bytes, depth: usize) -> Option<Vec<u8>> {
        if content.is_empty() {
            return None;
        }
        let message = depth > 0 && is_message(content, 0..content.len());
        if message && let Some(new) = self.redact_wire(content, depth - 1) {
            return Some(new);
        }
        match std::str::from_utf8(content) {
            Ok(text) if is_text(text) => {
                let new = self.redact_free_text(text, TextLocation::Body, 1);
                new.map(String::into_bytes)
            }
            Ok(_) | Err(_) if message => None,
            Ok(_) | Err(_) => self.redact_known_secrets(content),
        }
    }

    fn redact_non_message(&mut self, bytes: &Bytes) -> Option<Vec<u8>> {
        if std::str::from_utf8(bytes).is_ok() {
            return self
                .redact_body(None, bytes)
                .replacement
                .map(|new| new.to_vec());
        }
        self.redact_known_secrets(bytes)
    }

    /// Redacts known secrets in bytes of unknown format.
    pub(super) fn redact_known_secrets(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let hits = self
            .secrets
            .searcher_for(bytes.len())
            .find(bytes)
            .into_iter();
        let replacements = hits.map(|hit| {
            let new = self.placeholder_for_known(&hit.secret);
            Replacement::new(hit.range, new.into_bytes())
        });
        let replacements = replacements.collect();
        splice::bytes(bytes, replacements)
    }
}

/// The values of a document that are neither objects nor arrays, in the order of the text.
fn leaves(document: &Document) -> Vec<Node<'_>> {
    let mut leaves = Vec::new();
    collect(document.root(), &mut leaves);
    leaves
}

fn collect<'a>(node: Node<'a>, leaves: &mut Vec<Node<'a>>) {
    match node.kind() {
        Kind::Object(members) => members.for_each(|it| collect(it.value, leaves)),
        Kind::Array(elements) => elements.for_each(|it| collect(it, leaves)),
        Kind::String(_) | Kind::Number | Kind::Bool(_) | Kind::Null => leaves.push(node),
    }
}

/// The indexes of the values that a pass replaced, with their new texts.
fn changed_leaves(old: &[Node<'_>], after: String) -> Vec<(usize, String)> {
    let Some(after) = Document::parse(after.into()) else {
        return Vec::new();
    };
    let new = leaves(&after);
    let pairs = old.iter().zip(new).enumerate();
    pairs
        .filter_map(|(at, (old, new))| match new.kind() {
            Kind::String(text) if old.text() != new.text() => Some((at, text.into_owned())),
            _ => None,
        })
        .collect()
}

/// True if the text has no control characters other than tab and line breaks.
fn is_text(text: &str) -> bool {
    !text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
}

#[cfg(test)]
mod field_tests;
#[cfg(test)]
mod tests;
