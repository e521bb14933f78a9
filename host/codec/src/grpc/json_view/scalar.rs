//! Maps scalar values to JSON.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::Kind;

use super::json_text::{JsonWriter, LocatedField, quoted};
use super::leaf::{Leaf, MappingMode, Replaceable};
use crate::grpc::wire::{Wire, varint};

/// The wire format of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WireWidth {
    Varint,
    Fixed32,
    Fixed64,
}

fn wire_width(kind: &Kind) -> Option<WireWidth> {
    match kind {
        Kind::Int32
        | Kind::Int64
        | Kind::Uint32
        | Kind::Uint64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Bool
        | Kind::Enum(_) => Some(WireWidth::Varint),
        Kind::Fixed32 | Kind::Sfixed32 | Kind::Float => Some(WireWidth::Fixed32),
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => Some(WireWidth::Fixed64),
        Kind::String | Kind::Bytes | Kind::Message(_) => None,
    }
}

/// True if a value of this kind may have this wire type. A field with another wire type counts as
/// unknown.
pub(super) fn matches_wire_type(kind: &Kind, wire: &Wire, list: bool) -> bool {
    match (wire_width(kind), wire) {
        (Some(WireWidth::Varint), Wire::Varint(_))
        | (Some(WireWidth::Fixed32), Wire::Fixed32(_))
        | (Some(WireWidth::Fixed64), Wire::Fixed64(_))
        | (None, Wire::Len(_)) => true,
        (Some(_), Wire::Len(_)) => list,
        (None, Wire::Group(_)) => matches!(kind, Kind::Message(_)),
        (_, _) => false,
    }
}

/// True if the value is the default.
pub(super) fn is_default(kind: &Kind, found: &LocatedField) -> bool {
    match found.field.wire {
        Wire::Varint(value) => number(kind, value).1,
        Wire::Fixed32(value) => number(kind, value.into()).1,
        Wire::Fixed64(value) => number(kind, value).1,
        Wire::Len(ref content) => content.is_empty(),
        Wire::Group(_) => false,
    }
}

impl JsonWriter<'_> {
    /// Writes a value with a matching wire type. Of packed numbers, all are written.
    pub(super) fn scalar(&mut self, kind: &Kind, found: &LocatedField) {
        let LocatedField { field, enclosing } = found;
        let range = field.range.clone();
        let number = |range, enclosing| Leaf {
            replaceable: Replaceable::No,
            range,
            enclosing,
        };
        match &field.wire {
            Wire::Varint(value) => self.number(kind, *value, number(range, *enclosing)),
            Wire::Fixed32(value) => self.number(kind, (*value).into(), number(range, *enclosing)),
            Wire::Fixed64(value) => self.number(kind, *value, number(range, *enclosing)),
            Wire::Len(content) => match wire_width(kind) {
                Some(width) => self.packed(kind, width, found),
                None => {
                    let json = self.text(kind, content.clone());
                    let (replaceable, enclosing) = (Replaceable::WithText, *enclosing);
                    self.leaf(
                        &json,
                        Leaf {
                            replaceable,
                            range,
                            enclosing,
                        },
                    );
                }
            },
            Wire::Group(_) => {}
        }
    }

    /// Writes the default of an absent field.
    pub(super) fn default(&mut self, kind: &Kind) {
        match (self.mode, wire_width(kind)) {
            (MappingMode::Search, _) => self.default_value("null"),
            (MappingMode::Display, Some(_)) => {
                let json = number_or_name(kind, 0, MappingMode::Display);
                self.default_value(&json);
            }
            (MappingMode::Display, None) => self.default_value("\"\""),
        }
    }

    fn packed(&mut self, kind: &Kind, width: WireWidth, found: &LocatedField) {
        let Some(occurrence) = self.occurrence(found) else {
            return;
        };
        let Wire::Len(content) = &found.field.wire else {
            return;
        };
        let enclosing = occurrence.enclosing;
        let mut at = content.start;
        while at < content.end {
            let bytes = &self.bytes[..content.end];
            let next = match width {
                WireWidth::Varint => varint(bytes, at),
                WireWidth::Fixed32 => bytes[at..]
                    .first_chunk()
                    .map(|four| (u32::from_le_bytes(*four).into(), at + 4)),
                WireWidth::Fixed64 => bytes[at..]
                    .first_chunk()
                    .map(|eight| (u64::from_le_bytes(*eight), at + 8)),
            };
            let Some((value, end)) = next else {
                self.is_malformed = true;
                return;
            };
            let (replaceable, range) = (Replaceable::No, at..end);
            self.number(
                kind,
                value,
                Leaf {
                    replaceable,
                    range,
                    enclosing,
                },
            );
            at = end;
        }
    }

    fn number(&mut self, kind: &Kind, value: u64, mut leaf: Leaf) {
        let json = number_or_name(kind, value, self.mode);
        if json != "null" {
            leaf.replaceable = Replaceable::WithDefault(match wire_width(kind) {
                Some(WireWidth::Fixed32) => &[0; 4],
                Some(WireWidth::Fixed64) => &[0; 8],
                Some(WireWidth::Varint) | None => &[0],
            });
        }
        self.leaf(&json, leaf);
    }

    fn text(&self, kind: &Kind, content: Range<usize>) -> String {
        let bytes = &self.bytes[content];
        match (kind, self.mode, std::str::from_utf8(bytes)) {
            (Kind::Bytes, MappingMode::Search, Ok(text)) => quoted(text),
            (Kind::Bytes, _, _) => quoted(&STANDARD.encode(bytes)),
            (_, _, _) => quoted(&String::from_utf8_lossy(bytes)),
        }
    }
}

fn number_or_name(kind: &Kind, value: u64, mode: MappingMode) -> String {
    let (json, default) = number(kind, value);
    match (kind, mode) {
        (Kind::Enum(list), _) if list.full_name() == "google.protobuf.NullValue" => "null".into(),
        (_, MappingMode::Search) if default => "null".into(),
        (Kind::Enum(list), MappingMode::Display) => list
            .get_value(value as i32)
            .map_or(json, |value| quoted(value.name())),
        (_, _) => json,
    }
}

/// A number in ProtoJSON, and whether it is zero. 64-bit integers are strings.
fn number(kind: &Kind, value: u64) -> (String, bool) {
    let (short, long) = (value as u32, value as i64);
    match kind {
        Kind::Bool => ((value != 0).to_string(), value == 0),
        Kind::Int32 | Kind::Sfixed32 | Kind::Enum(_) => {
            (i32::to_string(&(short as i32)), short == 0)
        }
        Kind::Uint32 | Kind::Fixed32 => (short.to_string(), short == 0),
        Kind::Sint32 => {
            let decoded = (short >> 1) as i32 ^ -((short & 1) as i32);
            (decoded.to_string(), decoded == 0)
        }
        Kind::Sint64 => {
            let decoded = (value >> 1) as i64 ^ -((value & 1) as i64);
            (format!("\"{decoded}\""), decoded == 0)
        }
        Kind::Int64 | Kind::Sfixed64 => (format!("\"{long}\""), value == 0),
        Kind::Uint64 | Kind::Fixed64 => (format!("\"{value}\""), value == 0),
        Kind::Float => {
            let decoded = f32::from_bits(short);
            let json = serde_json::to_string(&decoded).unwrap_or_default();
            (finite(json, decoded.into()), decoded == 0.0)
        }
        Kind::Double => {
            let decoded = f64::from_bits(value);
            let json = serde_json::to_string(&decoded).unwrap_or_default();
            (finite(json, decoded), decoded == 0.0)
        }
        Kind::String | Kind::Bytes | Kind::Message(_) => ("null".to_owned(), true),
    }
}

fn finite(json: String, value: f64) -> String {
    match value {
        value if value.is_nan() => "\"NaN\"".to_owned(),
        f64::INFINITY => "\"Infinity\"".to_owned(),
        f64::NEG_INFINITY => "\"-Infinity\"".to_owned(),
        _ => json,
    }
}
