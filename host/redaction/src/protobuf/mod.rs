//! Secrets in messages of protocol buffers: by the names of their fields where a descriptor tells
//! them, and in every text that the wire format shows.

use std::ops::Range;

use bytes::Bytes;

use crate::free_text::TextLocation;
use crate::pass::{Outcome, Redaction, RedactionPass};
use crate::splice::{self, Replacement};
use ouli_codec::grpc::MessageType;
use ouli_codec::grpc::wire::{Wire, fields, is_message, with_length};
use ouli_codec::json::{Document, Kind, Node};

/// Messages within messages up to this depth are looked at, as deep as the usual readers go.
const DEPTH: usize = 100;

impl Redaction<'_> {
    /// Takes the secrets out of a message. With its shape, rules for members of JSON count for the
    /// fields of these names. Bytes that are no message are looked at as text where they are text.
    pub fn redact_protobuf(&self, message: &Bytes, shape: Option<&MessageType>) -> Outcome<Bytes> {
        self.to_fixpoint(message.clone(), |run, message| {
            if let Some(new) = shape.and_then(|shape| run.by_names(message, shape)) {
                *message = new;
            }
            if let Some(new) = run.wire(message, DEPTH) {
                *message = new.into();
            }
            // What only looks like fields may cut a secret where they meet.
            if let Some(new) = run.known_bytes(message) {
                *message = new.into();
            }
        })
    }
}

impl RedactionPass<'_> {
    /// The message without what the rules for JSON take out of its JSON by where it stands, and
    /// without numbers that are secrets. Its texts are left to those who look at the wire.
    fn by_names(&mut self, message: &Bytes, shape: &MessageType) -> Option<Bytes> {
        let reading = shape.map_for_search(message)?;
        let before = Document::parse(Bytes::copy_from_slice(reading.json().as_bytes()))?;
        let leaves = leaves(&before);
        if leaves.len() != reading.leaves() {
            return None;
        }
        let named = self.redact_named_values(&before);
        let mut changes =
            named.map_or_else(Vec::new, |after| changed_leaves(&before, &leaves, after));
        let is_new = |at: &usize| changes.binary_search_by_key(at, |(at, _)| *at).is_ok();
        let numbers: Vec<_> = (0..leaves.len())
            .filter(|at| reading.is_number(*at) && !is_new(at))
            .collect();
        let texts = numbers.iter().map(|at| before.slice(leaves[*at]));
        let found = self.redact_number_list(texts);
        changes.extend(found.into_iter().map(|(at, text)| (numbers[at], text)));
        (!changes.is_empty()).then(|| reading.rewrite(message, &changes).into())
    }

    /// Which of some numbers are secrets, and what comes in their places.
    fn redact_number_list<'a>(
        &mut self,
        numbers: impl Iterator<Item = &'a str>,
    ) -> Vec<(usize, String)> {
        let mut row = String::from("[");
        for (at, number) in numbers.enumerate() {
            row.push_str(if at == 0 { "" } else { "," });
            row.push_str(number);
        }
        row.push(']');
        let Some(after) = self.redact_strings(&row, 0) else {
            return Vec::new();
        };
        let row = Document::parse(row.into());
        row.map_or_else(Vec::new, |row| changed_leaves(&row, &leaves(&row), after))
    }

    /// The same message with its texts looked at; what encloses them gets its new length. None
    /// where nothing changes.
    fn wire(&mut self, message: &Bytes, depth: usize) -> Option<Vec<u8>> {
        let whole = 0..message.len();
        if !is_message(message, whole.clone()) {
            return self.redact_non_message(message);
        }
        let mut pieces = Vec::new();
        self.within(message, whole, depth, &mut pieces);
        splice::bytes(message, pieces)
    }

    /// The fields of a part of a message. A group has no length to be kept up.
    fn within(
        &mut self,
        message: &Bytes,
        part: Range<usize>,
        depth: usize,
        pieces: &mut Vec<Replacement<Vec<u8>>>,
    ) {
        for field in fields(message, part).flatten() {
            match field.wire {
                Wire::Len(content) => {
                    if let Some(new) = self.payload(&message.slice(content), depth) {
                        pieces.push(Replacement::new(field.range, with_length(&new)));
                    }
                }
                Wire::Group(content) if depth > 0 => {
                    self.within(message, content, depth - 1, pieces);
                }
                Wire::Group(_) | Wire::Varint(_) | Wire::Fixed64(_) | Wire::Fixed32(_) => {}
            }
        }
    }

    /// The content of a field with a length: a message, a text, or bytes. A short message whose
    /// first field is a text looks like a text as well, so it is tried as a message first: as a
    /// text its inner length would be wrong when a secret is gone.
    fn payload(&mut self, content: &Bytes, depth: usize) -> Option<Vec<u8>> {
        if content.is_empty() {
            return None;
        }
        let message = depth > 0 && is_message(content, 0..content.len());
        if message && let Some(new) = self.wire(content, depth - 1) {
            return Some(new);
        }
        match std::str::from_utf8(content) {
            Ok(text) if is_text(text) => {
                let new = self.redact_free_text(text, TextLocation::Body, 1);
                new.map(String::into_bytes)
            }
            Ok(_) | Err(_) if message => None,
            Ok(_) | Err(_) => self.known_bytes(content),
        }
    }

    fn redact_non_message(&mut self, bytes: &Bytes) -> Option<Vec<u8>> {
        if std::str::from_utf8(bytes).is_ok() {
            return self
                .redact_body(None, bytes)
                .replacement
                .map(|new| new.to_vec());
        }
        self.known_bytes(bytes)
    }

    /// Secrets that are known, in bytes of no form.
    pub(super) fn known_bytes(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let hits = self.secrets.searcher().find(bytes).into_iter();
        let pieces = hits.map(|hit| {
            let new = self.placeholder_for_known(&hit.secret);
            Replacement::new(hit.range, new.into_bytes())
        });
        let pieces = pieces.collect();
        splice::bytes(bytes, pieces)
    }
}

/// The values of a document that are no objects and no arrays, in the order of its text.
fn leaves(document: &Document) -> Vec<&Node> {
    let mut leaves = Vec::new();
    collect(document.root(), &mut leaves);
    leaves
}

fn collect<'a>(node: &'a Node, leaves: &mut Vec<&'a Node>) {
    match &node.kind {
        Kind::Object(members) => members.iter().for_each(|it| collect(&it.value, leaves)),
        Kind::Array(elements) => elements.iter().for_each(|it| collect(it, leaves)),
        Kind::String(_) | Kind::Number | Kind::Bool(_) | Kind::Null => leaves.push(node),
    }
}

/// Which values of a document are other texts after a pass.
fn changed_leaves(before: &Document, old: &[&Node], after: String) -> Vec<(usize, String)> {
    let Some(after) = Document::parse(after.into()) else {
        return Vec::new();
    };
    let now = leaves(&after);
    let pairs = old.iter().zip(now).enumerate();
    pairs
        .filter_map(|(at, (old, now))| match &now.kind {
            Kind::String(text) if before.slice(old) != after.slice(now) => Some((at, text.clone())),
            _ => None,
        })
        .collect()
}

/// Text of people and programs has no other control characters.
fn is_text(text: &str) -> bool {
    !text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
}

#[cfg(test)]
mod places;
#[cfg(test)]
mod tests;
