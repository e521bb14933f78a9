//! The JSON text of a reading while it is written.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Cover, Leaf, Put, View};
use crate::grpc::wire::{self, Field, Wire};

/// A text under way.
pub(super) struct Page<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) view: View,
    pub(super) out: String,
    pub(super) leaves: Vec<Leaf>,
    pub(super) covers: Vec<Cover>,
    /// Something within the message is not what its descriptor says.
    pub(super) broken: bool,
}

/// A field, and what encloses it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) field: Field,
    pub(super) cover: usize,
}

/// One occurrence of a message. Several together are one message (Encoding guide, "Last One Wins").
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    content: Range<usize>,
    /// What encloses its fields.
    pub(super) cover: usize,
    /// Where it stands as a whole.
    outer: Range<usize>,
    /// What encloses it as a whole.
    parent: usize,
    empty: &'static [u8],
}

impl Chunk {
    /// The message itself.
    pub(super) fn whole(bytes: &[u8]) -> Self {
        Self {
            content: 0..bytes.len(),
            cover: 0,
            outer: 0..bytes.len(),
            parent: 0,
            empty: b"",
        }
    }
}

/// A place to go back to.
pub(super) struct Mark(usize, usize, usize, bool);

impl<'a> Page<'a> {
    pub(super) fn new(bytes: &'a [u8], view: View) -> Self {
        let cover = Cover {
            parent: 0,
            length: 0..0,
            size: bytes.len(),
        };
        Self {
            bytes,
            view,
            out: String::new(),
            leaves: Vec::new(),
            covers: vec![cover],
            broken: false,
        }
    }

    /// A field as a message that may hold others.
    pub(super) fn chunk(&mut self, found: &Found) -> Option<Chunk> {
        let range = found.field.range.clone();
        match &found.field.wire {
            Wire::Len(content) => {
                self.covers.push(Cover {
                    parent: found.cover,
                    length: range.start..content.start,
                    size: content.len(),
                });
                Some(Chunk {
                    content: content.clone(),
                    cover: self.covers.len() - 1,
                    outer: range,
                    parent: found.cover,
                    empty: b"\0",
                })
            }
            Wire::Group(content) => Some(Chunk {
                content: content.clone(),
                cover: found.cover,
                outer: content.clone(),
                parent: found.cover,
                empty: b"",
            }),
            Wire::Varint(_) | Wire::Fixed64(_) | Wire::Fixed32(_) => None,
        }
    }

    /// The fields of all occurrences of a message; none where one of them is no message.
    pub(super) fn fields(&self, chunks: &[Chunk]) -> Option<Vec<Found>> {
        let mut all = Vec::new();
        for chunk in chunks {
            for field in wire::fields(self.bytes, chunk.content.clone()) {
                let (field, cover) = (field?, chunk.cover);
                all.push(Found { field, cover });
            }
        }
        Some(all)
    }

    /// The bytes of all occurrences of a message.
    pub(super) fn joined(&self, chunks: &[Chunk]) -> Vec<u8> {
        let contents = chunks
            .iter()
            .map(|chunk| &self.bytes[chunk.content.clone()]);
        contents.collect::<Vec<_>>().concat()
    }

    /// Messages that cannot be read, as their bytes.
    pub(super) fn unread(&mut self, chunks: &[Chunk]) {
        self.broken = true;
        self.several(chunks, |page, chunk| {
            let text = STANDARD.encode(&page.bytes[chunk.content.clone()]);
            let put = match text.is_empty() {
                true => Put::Nothing,
                false => Put::Default(chunk.empty),
            };
            let (range, cover) = (chunk.outer.clone(), chunk.parent);
            page.leaf(&quoted(&text), Leaf { put, range, cover });
        });
    }

    /// One value, or an array where there is more than one.
    pub(super) fn several<T>(&mut self, all: &[T], each: impl Fn(&mut Self, &T)) {
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
    pub(super) fn absent(&mut self, json: &str) {
        let leaf = Leaf {
            put: Put::Nothing,
            range: 0..0,
            cover: 0,
        };
        self.leaf(json, leaf);
    }

    fn comma(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with(['{', '[', ':', ',']) {
            self.out.push(',');
        }
    }

    pub(super) fn mark(&self) -> Mark {
        let (leaves, covers) = (self.leaves.len(), self.covers.len());
        Mark(self.out.len(), leaves, covers, self.broken)
    }

    pub(super) fn back_to(&mut self, mark: &Mark) {
        self.out.truncate(mark.0);
        self.leaves.truncate(mark.1);
        self.covers.truncate(mark.2);
        self.broken = mark.3;
    }
}

/// A text as a string of JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
