//! A message mapped to JSON, and its values replaced on the wire.

use std::ops::Range;

use prost_reflect::MessageDescriptor;

use super::json_text::{JsonWriter, Occurrence};
use super::leaf::{EnclosingField, Leaf, MappingMode, Replaceable};
use crate::grpc::wire::{put_varint, with_length};

/// A message as JSON, and the place of each value of it that is no object and no array.
#[derive(Debug)]
pub struct MappedMessage {
    json: String,
    /// In the order of the JSON text.
    leaves: Vec<Leaf>,
    enclosing: Vec<EnclosingField>,
}

impl MappedMessage {
    /// Reads a message. None where it is no message, or a part of it is none and it is to be shown.
    pub(in crate::grpc) fn of(
        descriptor: &MessageDescriptor,
        bytes: &[u8],
        view: MappingMode,
    ) -> Option<Self> {
        let mut page = JsonWriter::new(bytes, view);
        page.message(descriptor, &[Occurrence::whole(bytes)], DEPTH)?;
        if page.is_malformed && view == MappingMode::Display {
            return None;
        }
        Some(Self {
            json: page.out,
            leaves: page.leaves,
            enclosing: page.enclosing,
        })
    }

    /// The JSON text.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The JSON text, without a copy.
    pub(in crate::grpc) fn into_json(self) -> String {
        self.json
    }

    /// How many values are no object and no array.
    pub fn leaves(&self) -> usize {
        self.leaves.len()
    }

    /// True where a value, counted in the order of the text, cannot hold a text.
    pub fn is_number(&self, leaf: usize) -> bool {
        let leaf = self.leaves.get(leaf);
        leaf.is_some_and(|leaf| matches!(leaf.replaceable, Replaceable::WithDefault(_)))
    }

    /// The message that was read, with other texts in the places of some values. Values that cannot
    /// hold a text become their default. What encloses them gets its new length.
    pub fn rewrite(&self, message: &[u8], changes: &[(usize, String)]) -> Vec<u8> {
        let mut grown = vec![0; self.enclosing.len()];
        let mut pieces = Vec::with_capacity(changes.len());
        for (leaf, text) in changes {
            let Some(leaf) = self.leaves.get(*leaf) else {
                continue;
            };
            let new = match leaf.replaceable {
                Replaceable::No => continue,
                Replaceable::WithText => with_length(text.as_bytes()),
                Replaceable::WithDefault(bytes) => bytes.to_vec(),
            };
            grown[leaf.enclosing] += difference(new.len(), leaf.range.len());
            pieces.push((leaf.range.clone(), new));
        }
        // What encloses others stands before them in the list.
        for at in (1..self.enclosing.len()).rev() {
            let cover = &self.enclosing[at];
            if grown[at] == 0 {
                continue;
            }
            let mut new = Vec::with_capacity(5);
            let size = (cover.size as u64).saturating_add_signed(grown[at]);
            put_varint(&mut new, size);
            grown[cover.parent] += grown[at] + difference(new.len(), cover.length.len());
            pieces.push((cover.length.clone(), new));
        }
        spliced(message, pieces)
    }
}

/// JSON within JSON: below what parsers of JSON take, with room for what stands between messages.
const DEPTH: usize = crate::json::MAX_DEPTH - 8;

fn difference(new: usize, old: usize) -> i64 {
    new as i64 - old as i64
}

fn spliced(message: &[u8], mut pieces: Vec<(Range<usize>, Vec<u8>)>) -> Vec<u8> {
    pieces.sort_by_key(|(range, _)| range.start);
    let mut out = Vec::with_capacity(message.len());
    let mut done = 0;
    for (range, new) in pieces {
        out.extend_from_slice(message.get(done..range.start).unwrap_or_default());
        out.extend_from_slice(&new);
        done = range.end;
    }
    out.extend_from_slice(message.get(done..).unwrap_or_default());
    out
}
