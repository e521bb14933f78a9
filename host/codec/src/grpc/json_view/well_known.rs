//! Messages that have a JSON of their own (`google.protobuf`, well-known types).

use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::{Duration, FieldMask, Timestamp};
use prost_reflect::{Kind, MessageDescriptor};

use super::fields::{FieldSpec, keep_last_of_oneof, with_number};
use super::json_text::{JsonWriter, LocatedField, Occurrence, quoted};
use super::leaf::MappingMode;
use crate::grpc::wire::Wire;

impl JsonWriter<'_> {
    /// Writes a message that is more than an object of its fields; false where it is not.
    pub(super) fn well_known(
        &mut self,
        descriptor: &MessageDescriptor,
        chunks: &[Occurrence],
        found: &[LocatedField],
        depth: usize,
    ) -> bool {
        let Some(name) = descriptor.full_name().strip_prefix("google.protobuf.") else {
            return false;
        };
        match name {
            "Any" => self.any(descriptor, found, depth),
            "Timestamp" | "Duration" | "FieldMask" => self.well_known_text(name, chunks),
            "Struct" | "ListValue" => self.wrapper(descriptor, found, depth),
            "Value" => self.any_json(descriptor, found, depth),
            _ if is_wrapper(name) => self.wrapper(descriptor, found, depth),
            _ => return false,
        }
        .is_some()
    }

    /// A message with its type. Where the type is not known, its bytes are shown.
    fn any(
        &mut self,
        descriptor: &MessageDescriptor,
        found: &[LocatedField],
        depth: usize,
    ) -> Option<()> {
        let (url, value) = (FieldSpec::of(descriptor, 1)?, FieldSpec::of(descriptor, 2)?);
        let urls = url.with_matching_type(with_number(found, 1));
        let mut values = value.with_matching_type(with_number(found, 2));
        if self.mode == MappingMode::Display {
            values.drain(..values.len().saturating_sub(1));
        }
        if found.is_empty() {
            self.open('{');
            self.close('}');
            return Some(());
        }
        self.open('{');
        self.name("@type");
        self.value(&url.kind, &urls, depth);
        let mark = self.checkpoint();
        if self.payload(descriptor, &urls, &values, depth).is_none() {
            self.rollback(&mark);
            self.name("value");
            self.value(&value.kind, &values, depth);
        }
        self.close('}');
        Some(())
    }

    fn payload(
        &mut self,
        any: &MessageDescriptor,
        urls: &[LocatedField],
        values: &[LocatedField],
        depth: usize,
    ) -> Option<()> {
        let Wire::Len(url) = &urls.last()?.field.wire else {
            return None;
        };
        let url = std::str::from_utf8(&self.bytes[url.clone()]).ok()?;
        let name = url.rsplit('/').next()?;
        let descriptor = any.parent_pool().get_message_by_name(name)?;
        let chunks: Vec<_> = values
            .iter()
            .filter_map(|one| self.occurrence(one))
            .collect();
        if has_own_json(name) {
            self.name("value");
            return self.message(&descriptor, &chunks, depth);
        }
        let found = self.fields(&chunks)?;
        self.members(&descriptor, found, depth);
        Some(())
    }

    /// A time, a span of time or a list of fields as the text that stands for it.
    fn well_known_text(&mut self, name: &str, chunks: &[Occurrence]) -> Option<()> {
        if self.mode == MappingMode::Search {
            return None;
        }
        let bytes = self.joined(chunks);
        let text = match name {
            "Timestamp" => format_timestamp(&Timestamp::decode(bytes.as_slice()).ok()?)?,
            "Duration" => format_duration(&Duration::decode(bytes.as_slice()).ok()?)?,
            _ => format_field_mask(&FieldMask::decode(bytes.as_slice()).ok()?)?,
        };
        self.default_value(&quoted(&text));
        Some(())
    }

    /// A message that stands for its only field.
    fn wrapper(
        &mut self,
        descriptor: &MessageDescriptor,
        found: &[LocatedField],
        depth: usize,
    ) -> Option<()> {
        let spec = FieldSpec::of(descriptor, 1)?;
        let all = spec.with_matching_type(with_number(found, 1));
        match descriptor.name() {
            "Struct" => self.map(&spec.kind, &all, depth),
            "ListValue" => {
                self.list(&spec.kind, &all, depth);
            }
            _ => self.value(&spec.kind, &all, depth),
        }
        Some(())
    }

    /// A message that stands for any JSON.
    fn any_json(
        &mut self,
        descriptor: &MessageDescriptor,
        found: &[LocatedField],
        depth: usize,
    ) -> Option<()> {
        let mut found = found.to_vec();
        if self.mode == MappingMode::Display {
            keep_last_of_oneof(descriptor, &mut found);
        }
        let mut kinds: Vec<(Kind, Vec<LocatedField>)> = Vec::new();
        for number in 1..=6 {
            let spec = FieldSpec::of(descriptor, number)?;
            let all = spec.with_matching_type(with_number(&found, number));
            if !all.is_empty() {
                kinds.push((spec.kind, all));
            }
        }
        if kinds.is_empty() {
            self.default_value("null");
        } else {
            self.one_or_array(&kinds, |page, (kind, all)| page.value(kind, all, depth));
        }
        Some(())
    }
}

fn is_wrapper(name: &str) -> bool {
    let wrapped = name.strip_suffix("Value");
    wrapped.is_some_and(|wrapped| {
        [
            "Float", "Double", "Int32", "Int64", "UInt32", "UInt64", "Bool", "String", "Bytes",
        ]
        .contains(&wrapped)
    })
}

fn has_own_json(name: &str) -> bool {
    name.strip_prefix("google.protobuf.").is_some_and(|name| {
        let others = [
            "Any",
            "Timestamp",
            "Duration",
            "FieldMask",
            "Struct",
            "ListValue",
            "Value",
            "Empty",
        ];
        others.contains(&name) || is_wrapper(name)
    })
}

/// A time from the year 1 to the year 9999 (`timestamp.proto`).
fn format_timestamp(time: &Timestamp) -> Option<String> {
    let fits = (-62_135_596_800..=253_402_300_799).contains(&time.seconds);
    fits.then(|| time.to_string())
}

/// At most some 10000 years (`duration.proto`). Parts with different signs are added up.
fn format_duration(span: &Duration) -> Option<String> {
    let fits =
        span.seconds.unsigned_abs() <= 315_576_000_000 && span.nanos.unsigned_abs() < 1_000_000_000;
    fits.then(|| span.to_string())
}

/// Names of fields in camel case; none where the way back would give others (`field_mask.proto`).
fn format_field_mask(mask: &FieldMask) -> Option<String> {
    let mut out = String::new();
    for path in &mask.paths {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(&camel(path)?);
    }
    Some(out)
}

fn camel(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut letters = path.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '_' => {
                let next = letters.next().filter(char::is_ascii_lowercase)?;
                out.push(next.to_ascii_uppercase());
            }
            'A'..='Z' => return None,
            other => out.push(other),
        }
    }
    Some(out)
}
