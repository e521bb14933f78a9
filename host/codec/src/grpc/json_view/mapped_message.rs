//! A message mapped to JSON, and its values replaced on the wire.

use std::ops::Range;

use prost_reflect::MessageDescriptor;

use super::json_text::{JsonWriter, Occurrence};
use super::leaf::{EnclosingField, Leaf, MappingMode, Replaceable};
use crate::grpc::wire::{put_varint, with_length};

/// A message as JSON, with the location of each value that is neither an object nor an array.
#[derive(Debug)]
pub struct MappedMessage {
    json: String,
    /// In the order of the JSON text.
    leaves: Vec<Leaf>,
    enclosing: Vec<EnclosingField>,
}

impl MappedMessage {
    /// Maps a message. None if the bytes are not a message, or, for display, if a nested message is
    /// malformed.
    pub(in crate::grpc) fn of(
        descriptor: &MessageDescriptor,
        bytes: &[u8],
        mode: MappingMode,
    ) -> Option<Self> {
        let mut writer = JsonWriter::new(bytes, mode);
        writer.message(descriptor, &[Occurrence::whole(bytes)], MAX_DEPTH)?;
        if writer.is_malformed && mode == MappingMode::Display {
            return None;
        }
        Some(Self {
            json: writer.out,
            leaves: writer.leaves,
            enclosing: writer.enclosing,
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

    /// Number of values that are neither objects nor arrays.
    pub fn leaves(&self) -> usize {
        self.leaves.len()
    }

    /// True if the value at this index, in the order of the JSON text, cannot hold a text.
    pub fn is_number(&self, leaf: usize) -> bool {
        let leaf = self.leaves.get(leaf);
        leaf.is_some_and(|leaf| matches!(leaf.replaceable, Replaceable::WithDefault(_)))
    }

    /// Replaces some values of the mapped message, given by their index, with texts. Values that
    /// cannot hold a text become the default. The lengths of the enclosing fields are adapted.
    pub fn rewrite(&self, message: &[u8], changes: &[(usize, String)]) -> Vec<u8> {
        let mut growth = vec![0; self.enclosing.len()];
        let mut replacements = Vec::with_capacity(changes.len());
        for (leaf, text) in changes {
            let Some(leaf) = self.leaves.get(*leaf) else {
                continue;
            };
            let new = match leaf.replaceable {
                Replaceable::No => continue,
                Replaceable::WithText => with_length(text.as_bytes()),
                Replaceable::WithDefault(bytes) => bytes.to_vec(),
            };
            growth[leaf.enclosing] += difference(new.len(), leaf.range.len());
            replacements.push((leaf.range.clone(), new));
        }
        // Enclosing fields come before their content in the list.
        for at in (1..self.enclosing.len()).rev() {
            let enclosing = &self.enclosing[at];
            if growth[at] == 0 {
                continue;
            }
            let mut new = Vec::with_capacity(5);
            let size = (enclosing.size as u64).saturating_add_signed(growth[at]);
            put_varint(&mut new, size);
            growth[enclosing.parent] += growth[at] + difference(new.len(), enclosing.length.len());
            replacements.push((enclosing.length.clone(), new));
        }
        splice(message, replacements)
    }
}

/// Maximum nesting of messages. The JSON must stay below the limit of the JSON parser, with room
/// for levels that are not messages.
const MAX_DEPTH: usize = crate::json::MAX_DEPTH - 8;

fn difference(new: usize, old: usize) -> i64 {
    new as i64 - old as i64
}

fn splice(message: &[u8], mut replacements: Vec<(Range<usize>, Vec<u8>)>) -> Vec<u8> {
    replacements.sort_by_key(|(range, _)| range.start);
    let mut out = Vec::with_capacity(message.len());
    let mut copied_to = 0;
    for (range, new) in replacements {
        out.extend_from_slice(message.get(copied_to..range.start).unwrap_or_default());
        out.extend_from_slice(&new);
        copied_to = range.end;
    }
    out.extend_from_slice(message.get(copied_to..).unwrap_or_default());
    out
}
