//! Secrets in messages of protocol buffers: by the names of their fields where a descriptor tells
//! them, and in every text that the wire format shows.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::free::Place;
use super::placeholder;
use super::run::{Outcome, Redaction, Run};
use super::splice::{self, Piece};
use crate::exchange::grpc::Shape;
use crate::exchange::json::{Document, Kind, Node};

/// Messages within messages up to this depth are looked at.
const DEPTH: usize = 32;

impl Redaction<'_> {
    /// Takes the secrets out of a message. With its shape, rules for members of JSON count for the
    /// fields of these names. Bytes that are no message are looked at as text where they are text.
    pub fn protobuf(&self, message: &Bytes, shape: Option<&Shape>) -> Outcome<Bytes> {
        self.settled(message.clone(), |run, message| {
            if let Some(new) = shape.and_then(|shape| run.by_names(message, shape)) {
                *message = new;
            }
            if let Some(new) = run.wire(message, DEPTH) {
                *message = new.into();
            }
        })
    }
}

impl Run<'_> {
    /// The message without what the rules for JSON take out of its JSON.
    fn by_names(&mut self, message: &Bytes, shape: &Shape) -> Option<Bytes> {
        let shown = Document::parse(shape.to_json(message)?.into())?;
        let before = plain_placeholders(shown)?;
        let after = Document::parse(self.json(&before, 1)?.into())?;
        let mut changes = Vec::new();
        changed(before.root(), after.root(), &mut Vec::new(), &mut changes);
        shape.rewrite(message, &changes)
    }

    /// The same message with its texts looked at; what encloses them gets its new length. None
    /// where nothing changes.
    fn wire(&mut self, message: &Bytes, depth: usize) -> Option<Vec<u8>> {
        let Some(fields) = fields(message) else {
            return self.no_message(message);
        };
        let mut pieces = Vec::new();
        for field in fields {
            let content = message.slice(field.content.clone());
            if let Some(new) = self.payload(&content, depth) {
                let mut whole = Vec::with_capacity(new.len() + 5);
                put_varint(&mut whole, new.len() as u64);
                whole.extend_from_slice(&new);
                pieces.push(Piece::new(field.length.start..field.content.end, whole));
            }
        }
        splice::bytes(message, pieces)
    }

    /// The content of a field with a length: a text, a message, or bytes.
    fn payload(&mut self, content: &Bytes, depth: usize) -> Option<Vec<u8>> {
        if content.is_empty() {
            return None;
        }
        let text = std::str::from_utf8(content)
            .ok()
            .filter(|text| is_text(text));
        if let Some(text) = text
            && let Some(new) = self.free(text, Place::Body, 1)
        {
            return Some(new.into_bytes());
        }
        if depth > 0 && fields(content).is_some() {
            return self.wire(content, depth - 1);
        }
        if text.is_some() {
            return None;
        }
        self.known_bytes(content)
    }

    fn no_message(&mut self, bytes: &Bytes) -> Option<Vec<u8>> {
        if std::str::from_utf8(bytes).is_ok() {
            return self.body(None, bytes).new.map(|new| new.to_vec());
        }
        self.known_bytes(bytes)
    }

    /// Secrets that are known, in bytes of no form.
    pub(super) fn known_bytes(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let hits = self.secrets.known().find(bytes).into_iter();
        let pieces = hits.map(|hit| {
            let new = self.stand_in_known(&hit.secret);
            Piece::new(hit.range, new.into_bytes())
        });
        let pieces = pieces.collect();
        splice::bytes(bytes, pieces)
    }
}

/// A field of bytes stands in JSON as base64. A placeholder in one is shown as what it is, so that
/// it is not taken for a secret.
fn plain_placeholders(shown: Document) -> Option<Document> {
    let mut pieces = Vec::new();
    covered(shown.root(), &mut pieces);
    let text = std::str::from_utf8(shown.text()).ok()?;
    match splice::text(text, pieces) {
        Some(plain) => Document::parse(plain.into()),
        None => Some(shown),
    }
}

fn covered(node: &Node, pieces: &mut Vec<Piece<String>>) {
    match &node.kind {
        Kind::Object(members) => members.iter().for_each(|it| covered(&it.value, pieces)),
        Kind::Array(elements) => elements.iter().for_each(|it| covered(it, pieces)),
        Kind::String(text) => {
            let bytes = STANDARD.decode(text).ok();
            if let Some(bytes) = bytes.filter(|bytes| placeholder::is(bytes))
                && let Ok(plain) = std::str::from_utf8(&bytes)
            {
                // No character of a placeholder needs an escape.
                pieces.push(Piece::new(node.span.clone(), format!("\"{plain}\"")));
            }
        }
        Kind::Number | Kind::Bool(_) | Kind::Null => {}
    }
}

/// Places of values that differ, with what they are now. Both documents have the same members.
fn changed(
    before: &Node,
    after: &Node,
    steps: &mut Vec<String>,
    changes: &mut Vec<(Vec<String>, String)>,
) {
    match (&before.kind, &after.kind) {
        (Kind::Object(before), Kind::Object(after)) => {
            for (one, other) in before.iter().zip(after) {
                steps.push(one.name.clone());
                changed(&one.value, &other.value, steps, changes);
                steps.pop();
            }
        }
        (Kind::Array(before), Kind::Array(after)) => {
            for (index, (one, other)) in before.iter().zip(after).enumerate() {
                steps.push(index.to_string());
                changed(one, other, steps, changes);
                steps.pop();
            }
        }
        (Kind::String(before), Kind::String(after)) if before == after => {}
        (_, Kind::String(after)) => changes.push((steps.clone(), after.clone())),
        (_, _) => {}
    }
}

/// A field with a length (wire type 2).
struct Field {
    length: Range<usize>,
    content: Range<usize>,
}

/// The fields with a length of a message, in order; none where the bytes are no message. Groups,
/// which nobody writes any more, count as none.
fn fields(message: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    let mut at = 0;
    while at < message.len() {
        let (tag, next) = varint(message, at)?;
        if tag >> 3 == 0 || tag >> 3 > MOST_FIELDS {
            return None;
        }
        at = match tag & 7 {
            0 => varint(message, next)?.1,
            1 => next.checked_add(8)?,
            5 => next.checked_add(4)?,
            2 => {
                let (length, start) = varint(message, next)?;
                let end = start.checked_add(usize::try_from(length).ok()?)?;
                fields.push(Field {
                    length: next..start,
                    content: start..end,
                });
                end
            }
            _ => return None,
        };
        if at > message.len() {
            return None;
        }
    }
    Some(fields)
}

/// The largest number of a field.
const MOST_FIELDS: u64 = (1 << 29) - 1;

fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0;
    for (place, byte) in bytes.get(at..)?.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * u32::try_from(place).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((value, at + place + 1));
        }
    }
    None
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Text of people and programs has no other control characters.
fn is_text(text: &str) -> bool {
    !text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
}

#[cfg(test)]
mod tests;
