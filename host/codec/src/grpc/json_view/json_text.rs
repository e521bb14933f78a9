//! The JSON text of a reading while it is written.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::leaf::{EnclosingField, Leaf, MappingMode, Replaceable};
use crate::grpc::wire::{self, Field, Wire};

/// A text under way.
pub(super) struct JsonWriter<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) mode: MappingMode,
    pub(super) out: String,
    pub(super) leaves: Vec<Leaf>,
    pub(super) enclosing: Vec<EnclosingField>,
    /// Something within the message is not what its descriptor says.
    pub(super) is_malformed: bool,
}

/// A field, and what encloses it.
#[derive(Clone, Debug)]
pub(super) struct LocatedField {
    pub(super) field: Field,
    pub(super) enclosing: usize,
}

/// One occurrence of a message. Several together are one message (Encoding guide, "Last One Wins").
#[derive(Clone, Debug)]
pub(super) struct Occurrence {
    content: Range<usize>,
    /// What encloses its fields.
    pub(super) enclosing: usize,
    /// Where it stands as a whole.
    whole_range: Range<usize>,
    /// What encloses it as a whole.
    parent: usize,
    empty: &'static [u8],
}

impl Occurrence {
    /// The message itself.
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

/// A place to go back to.
pub(super) struct Checkpoint(usize, usize, usize, bool);

impl<'a> JsonWriter<'a> {
    pub(super) fn new(bytes: &'a [u8], view: MappingMode) -> Self {
        let cover = EnclosingField {
            parent: 0,
            length: 0..0,
            size: bytes.len(),
        };
        Self {
            bytes,
            mode: view,
            out: String::new(),
            leaves: Vec::new(),
            enclosing: vec![cover],
            is_malformed: false,
        }
    }

    /// A field as a message that may hold others.
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

    /// The fields of all occurrences of a message; none where one of them is no message.
    pub(super) fn fields(&self, chunks: &[Occurrence]) -> Option<Vec<LocatedField>> {
        let mut all = Vec::new();
        for chunk in chunks {
            for field in wire::fields(self.bytes, chunk.content.clone()) {
                let (field, cover) = (field?, chunk.enclosing);
                all.push(LocatedField {
                    field,
                    enclosing: cover,
                });
            }
        }
        Some(all)
    }

    /// The bytes of all occurrences of a message.
    pub(super) fn joined(&self, chunks: &[Occurrence]) -> Vec<u8> {
        let contents = chunks
            .iter()
            .map(|chunk| &self.bytes[chunk.content.clone()]);
        contents.collect::<Vec<_>>().concat()
    }

    /// Messages that cannot be read, as their bytes.
    pub(super) fn raw_bytes(&mut self, chunks: &[Occurrence]) {
        self.is_malformed = true;
        self.one_or_array(chunks, |page, chunk| {
            let text = STANDARD.encode(&page.bytes[chunk.content.clone()]);
            let put = match text.is_empty() {
                true => Replaceable::No,
                false => Replaceable::WithDefault(chunk.empty),
            };
            let (range, cover) = (chunk.whole_range.clone(), chunk.parent);
            page.leaf(
                &quoted(&text),
                Leaf {
                    replaceable: put,
                    range,
                    enclosing: cover,
                },
            );
        });
    }

    /// One value, or an array where there is more than one.
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

    /// A value that is no object and no array, as JSON.
    pub(super) fn leaf(&mut self, json: &str, leaf: Leaf) {
        self.comma();
        self.out.push_str(json);
        self.leaves.push(leaf);
    }

    /// A value that stands nowhere.
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
        let (leaves, covers) = (self.leaves.len(), self.enclosing.len());
        Checkpoint(self.out.len(), leaves, covers, self.is_malformed)
    }

    pub(super) fn rollback(&mut self, mark: &Checkpoint) {
        self.out.truncate(mark.0);
        self.leaves.truncate(mark.1);
        self.enclosing.truncate(mark.2);
        self.is_malformed = mark.3;
    }
}

/// A text as a string of JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
