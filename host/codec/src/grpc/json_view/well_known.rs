//! Well-known types of `google.protobuf`, which have their own JSON mapping.

use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::{Duration, FieldMask, Timestamp};
use prost_reflect::{Kind, MessageDescriptor};

use super::fields::{FieldSpec, keep_last_of_oneof, with_number};
use super::json_text::{JsonWriter, LocatedField, Occurrence, quoted};
use super::leaf::MappingMode;
use crate::grpc::wire::Wire;

impl JsonWriter<'_> {
    /// Writes a well-known type. Returns false if the type is none.
    pub(super) fn well_known(
        &mut self,
        descriptor: &MessageDescriptor,
        occurrences: &[Occurrence],
        found: &[LocatedField],
        depth: usize,
    ) -> bool {
        let Some(name) = descriptor.full_name().strip_prefix("google.protobuf.") else {
            return false;
        };
        match name {
            "Any" => self.any(descriptor, found, depth),
            "Timestamp" | "Duration" | "FieldMask" => self.well_known_text(name, occurrences),
            "Struct" | "ListValue" => self.wrapper(descriptor, found, depth),
            "Value" => self.any_json(descriptor, found, depth),
            _ if is_wrapper(name) => self.wrapper(descriptor, found, depth),
            _ => return false,
        }
        .is_some()
    }

    /// Writes an `Any`. If its type is unknown, its bytes are written.
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
        let checkpoint = self.checkpoint();
        if self.payload(descriptor, &urls, &values, depth).is_none() {
            self.rollback(&checkpoint);
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
        let occurrences: Vec<_> = values
            .iter()
            .filter_map(|one| self.occurrence(one))
            .collect();
        if has_own_json(name) {
            self.name("value");
            return self.message(&descriptor, &occurrences, depth);
        }
        let found = self.fields(&occurrences)?;
        self.members(&descriptor, found, depth);
        Some(())
    }

    /// Writes a timestamp, duration or field mask as a string.
    fn well_known_text(&mut self, name: &str, occurrences: &[Occurrence]) -> Option<()> {
        if self.mode == MappingMode::Search {
            return None;
        }
        let bytes = self.joined(occurrences);
        let text = match name {
            "Timestamp" => format_timestamp(&Timestamp::decode(bytes.as_slice()).ok()?)?,
            "Duration" => format_duration(&Duration::decode(bytes.as_slice()).ok()?)?,
            _ => format_field_mask(&FieldMask::decode(bytes.as_slice()).ok()?)?,
        };
        self.default_value(&quoted(&text));
        Some(())
    }

    /// Writes a message as the value of its only field.
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

    /// Writes a `Value`, which represents any JSON value.
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
            self.one_or_array(&kinds, |writer, (kind, all)| writer.value(kind, all, depth));
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

/// A timestamp from year 1 to 9999 (`timestamp.proto`).
fn format_timestamp(time: &Timestamp) -> Option<String> {
    let is_valid = (-62_135_596_800..=253_402_300_799).contains(&time.seconds);
    is_valid.then(|| time.to_string())
}

/// A duration of up to about 10,000 years (`duration.proto`). Seconds and nanoseconds with
/// different signs are added.
fn format_duration(span: &Duration) -> Option<String> {
    let is_valid =
        span.seconds.unsigned_abs() <= 315_576_000_000 && span.nanos.unsigned_abs() < 1_000_000_000;
    is_valid.then(|| span.to_string())
}

/// Field names in camel case. None if the conversion cannot be reversed (`field_mask.proto`).
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
