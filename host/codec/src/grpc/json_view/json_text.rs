//! Writes the JSON text of a mapped message and collects its values.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::leaf::{EnclosingField, Leaf, MappingMode, Replaceable};
use crate::grpc::wire::{self, Field, Wire};

/// The writer of the JSON text.
pub(super) struct JsonWriter<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) mode: MappingMode,
    pub(super) out: String,
    pub(super) leaves: Vec<Leaf>,
    pub(super) enclosing: Vec<EnclosingField>,
    /// A nested message is malformed.
    pub(super) is_malformed: bool,
}

/// A field with the index of its enclosing field.
#[derive(Clone, Debug)]
pub(super) struct LocatedField {
    pub(super) field: Field,
    pub(super) enclosing: usize,
}

/// One occurrence of a message. Several occurrences are merged (Encoding guide, "Last One Wins").
#[derive(Clone, Debug)]
pub(super) struct Occurrence {
    content: Range<usize>,
    /// Index of the field that encloses its fields.
    pub(super) enclosing: usize,
    /// The range including the length.
    whole_range: Range<usize>,
    /// Index of the field that encloses the whole message.
    parent: usize,
    /// The bytes of an empty message in its place.
    empty: &'static [u8],
}

impl Occurrence {
    /// The outermost message.
    pub(super) fn whole(bytes: &[u8]) -> Self {
        Self {
            content: 0..bytes.len(),
            enclosing: 0,
            whole_range: 0..bytes.len(),
            parent: 0,
            empty: b"",
        }
    }
}

/// A state of the writer to roll back to.
pub(super) struct Checkpoint(usize, usize, usize, bool);

impl<'a> JsonWriter<'a> {
    pub(super) fn new(bytes: &'a [u8], mode: MappingMode) -> Self {
        let enclosing = EnclosingField {
            parent: 0,
            length: 0..0,
            size: bytes.len(),
        };
        Self {
            bytes,
            mode,
            out: String::new(),
            leaves: Vec::new(),
            enclosing: vec![enclosing],
            is_malformed: false,
        }
    }

    /// A field as an occurrence of a message. None if its wire type cannot hold one.
    pub(super) fn occurrence(&mut self, found: &LocatedField) -> Option<Occurrence> {
        let range = found.field.range.clone();
        match &found.field.wire {
            Wire::Len(content) => {
                self.enclosing.push(EnclosingField {
                    parent: found.enclosing,
                    length: range.start..content.start,
                    size: content.len(),
                });
                Some(Occurrence {
                    content: content.clone(),
                    enclosing: self.enclosing.len() - 1,
                    whole_range: range,
                    parent: found.enclosing,
                    empty: b"\0",
                })
            }
            Wire::Group(content) => Some(Occurrence {
                content: content.clone(),
                enclosing: found.enclosing,
                whole_range: content.clone(),
                parent: found.enclosing,
                empty: b"",
            }),
            Wire::Varint(_) | Wire::Fixed64(_) | Wire::Fixed32(_) => None,
        }
    }

    /// The fields of all occurrences of a message. None if one of them is malformed.
    pub(super) fn fields(&self, occurrences: &[Occurrence]) -> Option<Vec<LocatedField>> {
        let mut all = Vec::new();
        for occurrence in occurrences {
            for field in wire::fields(self.bytes, occurrence.content.clone()) {
                let (field, enclosing) = (field?, occurrence.enclosing);
                all.push(LocatedField { field, enclosing });
            }
        }
        Some(all)
    }

    /// The concatenated bytes of all occurrences of a message.
    pub(super) fn joined(&self, occurrences: &[Occurrence]) -> Vec<u8> {
        let contents = occurrences
            .iter()
            .map(|occurrence| &self.bytes[occurrence.content.clone()]);
        contents.collect::<Vec<_>>().concat()
    }

    /// Writes malformed messages as base64.
    pub(super) fn raw_bytes(&mut self, occurrences: &[Occurrence]) {
        self.is_malformed = true;
        self.one_or_array(occurrences, |writer, occurrence| {
            let text = STANDARD.encode(&writer.bytes[occurrence.content.clone()]);
            let replaceable = match text.is_empty() {
                true => Replaceable::No,
                false => Replaceable::WithDefault(occurrence.empty),
            };
            let (range, enclosing) = (occurrence.whole_range.clone(), occurrence.parent);
            writer.leaf(
                &quoted(&text),
                Leaf {
                    replaceable,
                    range,
                    enclosing,
                },
            );
        });
    }

    /// Writes one value, or an array of several.
    pub(super) fn one_or_array<T>(&mut self, all: &[T], each: impl Fn(&mut Self, &T)) {
        if let [one] = all {
            return each(self, one);
        }
        self.open('[');
        for one in all {
            each(self, one);
        }
        self.close(']');
    }

    pub(super) fn open(&mut self, bracket: char) {
        self.comma();
        self.out.push(bracket);
    }

    pub(super) fn close(&mut self, bracket: char) {
        self.out.push(bracket);
    }

    pub(super) fn name(&mut self, name: &str) {
        self.comma();
        self.out.push_str(&quoted(name));
        self.out.push(':');
    }

    /// Writes a value that is neither an object nor an array.
    pub(super) fn leaf(&mut self, json: &str, leaf: Leaf) {
        self.comma();
        self.out.push_str(json);
        self.leaves.push(leaf);
    }

    /// Writes a value that is not on the wire.
    pub(super) fn default_value(&mut self, json: &str) {
        let leaf = Leaf {
            replaceable: Replaceable::No,
            range: 0..0,
            enclosing: 0,
        };
        self.leaf(json, leaf);
    }

    fn comma(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with(['{', '[', ':', ',']) {
            self.out.push(',');
        }
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        let (leaves, enclosing) = (self.leaves.len(), self.enclosing.len());
        Checkpoint(self.out.len(), leaves, enclosing, self.is_malformed)
    }

    pub(super) fn rollback(&mut self, checkpoint: &Checkpoint) {
        self.out.truncate(checkpoint.0);
        self.leaves.truncate(checkpoint.1);
        self.enclosing.truncate(checkpoint.2);
        self.is_malformed = checkpoint.3;
    }
}

/// A text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
