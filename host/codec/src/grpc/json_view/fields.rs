//! Maps messages to objects: fields in the order of their numbers, lists, maps.

use std::collections::HashMap;

use prost_reflect::{Kind, MessageDescriptor};

use super::json_text::{JsonWriter, LocatedField, Occurrence};
use super::leaf::MappingMode;
use super::scalar::{is_default, matches_wire_type};

/// The descriptor of one field.
pub(super) struct FieldSpec {
    name: String,
    pub(super) kind: Kind,
    list: bool,
    map: bool,
    /// The field tracks presence.
    presence: bool,
}

impl FieldSpec {
    pub(super) fn of(descriptor: &MessageDescriptor, number: u32) -> Option<Self> {
        if let Some(field) = descriptor.get_field(number) {
            return Some(Self {
                name: field.json_name().to_owned(),
                kind: field.kind(),
                list: field.is_list(),
                map: field.is_map(),
                presence: field.supports_presence(),
            });
        }
        let field = descriptor.get_extension(number)?;
        Some(Self {
            name: field.json_name().to_owned(),
            kind: field.kind(),
            list: field.is_list(),
            map: field.is_map(),
            presence: field.supports_presence(),
        })
    }
}

impl JsonWriter<'_> {
    /// Writes a message with some occurrences. None if they are not a message or nested too deeply;
    /// the output may then hold a part of it.
    pub(super) fn message(
        &mut self,
        descriptor: &MessageDescriptor,
        occurrences: &[Occurrence],
        depth: usize,
    ) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let found = self.fields(occurrences)?;
        if !self.well_known(descriptor, occurrences, &found, depth) {
            self.open('{');
            self.members(descriptor, found, depth);
            self.close('}');
        }
        Some(())
    }

    /// Writes the members of an object in the order of the field numbers.
    pub(super) fn members(
        &mut self,
        descriptor: &MessageDescriptor,
        mut found: Vec<LocatedField>,
        depth: usize,
    ) {
        if self.mode == MappingMode::Display {
            keep_last_of_oneof(descriptor, &mut found);
        }
        found.sort_by_key(|found| found.field.number);
        for same in found.chunk_by(|one, other| one.field.number == other.field.number) {
            let Some(spec) = same
                .first()
                .and_then(|found| FieldSpec::of(descriptor, found.field.number))
            else {
                continue;
            };
            let same: Vec<_> = spec.with_matching_type(same);
            if !same.is_empty() {
                self.member(&spec, &same, depth);
            }
        }
    }

    fn member(&mut self, spec: &FieldSpec, all: &[LocatedField], depth: usize) {
        let checkpoint = self.checkpoint();
        self.name(&spec.name);
        if spec.map {
            self.map(&spec.kind, all, depth);
        } else if spec.list {
            let empty = self.list(&spec.kind, all, depth);
            if empty {
                self.rollback(&checkpoint);
            }
        } else {
            let last = &all[all.len() - 1];
            let says_nothing = !spec.presence && is_default(&spec.kind, last);
            if self.mode == MappingMode::Display && says_nothing {
                return self.rollback(&checkpoint);
            }
            self.value(&spec.kind, all, depth);
        }
    }

    /// Writes a list. Returns true if it is empty.
    pub(super) fn list(&mut self, kind: &Kind, all: &[LocatedField], depth: usize) -> bool {
        self.open('[');
        let before = self.out.len();
        for one in all {
            match kind {
                Kind::Message(_) => {
                    self.value(kind, std::slice::from_ref(one), depth.saturating_sub(1))
                }
                _ => self.scalar(kind, one),
            }
        }
        let empty = self.out.len() == before;
        self.close(']');
        empty
    }

    /// Writes a value with some occurrences: for display the last one, for search all. The
    /// occurrences of a message are merged.
    pub(super) fn value(&mut self, kind: &Kind, all: &[LocatedField], depth: usize) {
        if let Kind::Message(descriptor) = kind {
            let occurrences: Vec<_> = all.iter().filter_map(|one| self.occurrence(one)).collect();
            let checkpoint = self.checkpoint();
            if self.message(descriptor, &occurrences, depth).is_none() {
                self.rollback(&checkpoint);
                self.raw_bytes(&occurrences);
            }
            return;
        }
        let Some(last) = all.last() else {
            return self.default(kind);
        };
        match self.mode {
            MappingMode::Display => self.scalar(kind, last),
            MappingMode::Search => self.one_or_array(all, |writer, one| writer.scalar(kind, one)),
        }
    }

    /// Writes a map. Its entries are messages with a key and a value.
    pub(super) fn map(&mut self, kind: &Kind, all: &[LocatedField], depth: usize) {
        let Kind::Message(entry) = kind else {
            return;
        };
        let mut entries = Vec::with_capacity(all.len());
        for one in all {
            let occurrence = self.occurrence(one);
            match self.fields(occurrence.as_slice()) {
                Some(found) => entries.push((self.key(entry, &found), found)),
                None => self.is_malformed = true,
            }
        }
        if self.mode == MappingMode::Display {
            let places = entries.iter().enumerate();
            let last: HashMap<_, _> = places.map(|(at, (key, _))| (key.clone(), at)).collect();
            let mut at = 0..;
            entries.retain(|(key, _)| last.get(key).copied() == at.next());
        }
        self.open('{');
        for (key, found) in entries {
            self.name(&key);
            if let Some(spec) = FieldSpec::of(entry, ENTRY_VALUE) {
                let values = spec.with_matching_type(with_number(&found, ENTRY_VALUE));
                self.value(&spec.kind, &values, depth.saturating_sub(1));
            }
        }
        self.close('}');
    }

    /// The key of an entry as a member name.
    fn key(&self, entry: &MessageDescriptor, found: &[LocatedField]) -> String {
        let Some(spec) = FieldSpec::of(entry, ENTRY_KEY) else {
            return String::new();
        };
        let keys = spec.with_matching_type(with_number(found, ENTRY_KEY));
        let mut writer = JsonWriter::new(self.bytes, MappingMode::Display);
        writer.value(&spec.kind, &keys, 1);
        match serde_json::from_str(&writer.out) {
            Ok(serde_json::Value::String(key)) => key,
            Ok(_) | Err(_) => writer.out,
        }
    }
}

impl FieldSpec {
    /// The fields whose wire type matches the descriptor. Others count as unknown fields.
    pub(super) fn with_matching_type<'a>(
        &self,
        all: impl IntoIterator<Item = &'a LocatedField>,
    ) -> Vec<LocatedField> {
        let list = self.list && !self.map;
        let all = all.into_iter();
        all.filter(|one| matches_wire_type(&self.kind, &one.field.wire, list))
            .cloned()
            .collect()
    }
}

/// Field numbers of a map entry.
const ENTRY_KEY: u32 = 1;
const ENTRY_VALUE: u32 = 2;

/// The fields with one number.
pub(super) fn with_number(
    found: &[LocatedField],
    number: u32,
) -> impl Iterator<Item = &LocatedField> {
    found.iter().filter(move |one| one.field.number == number)
}

/// Keeps the last field of each oneof, with its occurrences after any other field of that oneof.
pub(super) fn keep_last_of_oneof(descriptor: &MessageDescriptor, found: &mut Vec<LocatedField>) {
    if descriptor.oneofs().len() == 0 {
        return;
    }
    let oneof = |found: &LocatedField| {
        let field = descriptor.get_field(found.field.number)?;
        let is_valid = matches_wire_type(&field.kind(), &found.field.wire, false);
        is_valid.then(|| field.containing_oneof()).flatten()
    };
    let mut last = HashMap::new();
    found.reverse();
    found.retain(|one| {
        let Some(oneof) = oneof(one) else {
            return true;
        };
        let name = oneof.name().to_owned();
        let (number, over) = last.entry(name).or_insert((one.field.number, false));
        *over |= *number != one.field.number;
        !*over
    });
    found.reverse();
}
