//! Where two requests differ, part by part.

use std::collections::BTreeMap;

use super::json;
use super::pairs::{Paired, pair_by_name};
use super::raw_difference::{DifferenceCollector, Location, RawDifference, Step, pointer};
use super::remedy::{Remedy, remedies};
use crate::key::{BodyPart, DescribedPart, Value};

/// One difference between the live request and a recorded one. Values are redacted and shortened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The name of the part.
    pub part: String,
    /// Where in the part: a JSON pointer, or the name of a parameter, a header, a field of a form
    /// or a part of a multipart body.
    pub at: Option<String>,
    /// What the live request holds there.
    pub live: Option<String>,
    /// What the recorded request holds there.
    pub recorded: Option<String>,
    /// What would make them match there.
    pub remedy: Remedy,
}

impl Difference {
    fn new(raw: RawDifference, remedy: Remedy) -> Self {
        let at = match raw.place {
            Location::Whole | Location::Kind | Location::Order => None,
            Location::Name(name) | Location::Field(name) => Some(name),
            Location::Unnamed(number) => Some(format!("part {number}")),
            Location::Pointer(steps) => Some(pointer(&steps)),
        };
        Self {
            part: raw.part,
            at,
            live: raw.live,
            recorded: raw.recorded,
            remedy,
        }
    }
}

/// The first differences, and how many there are in all.
pub(super) struct Differences {
    pub(super) list: Vec<Difference>,
    pub(super) total: usize,
}

/// All differences between two requests. `matcher` names the plugin that made their keys.
pub(super) fn differences(
    live: &[DescribedPart],
    recorded: &[DescribedPart],
    matcher: Option<&str>,
) -> Differences {
    let mut into = DifferenceCollector::default();
    for part in pair_by_name(live, recorded, |part| part.name.as_str()) {
        match part {
            Paired::Both(live, recorded) if live.value == recorded.value => {}
            Paired::Both(live, recorded) => {
                into.part.clone_from(&live.name);
                compare(&live.value, &recorded.value, &mut into);
            }
            Paired::Live(only) => {
                into.part.clone_from(&only.name);
                into.add(|| Location::Whole, || Some(show(&only.value)), || None);
            }
            Paired::Recorded(only) => {
                into.part.clone_from(&only.name);
                into.add(|| Location::Whole, || None, || Some(show(&only.value)));
            }
        }
    }
    let remedies = remedies(&into.kept, matcher);
    let list = into.kept.into_iter().zip(remedies);
    Differences {
        list: list
            .map(|(raw, remedy)| Difference::new(raw, remedy))
            .collect(),
        total: into.total,
    }
}

fn compare(live: &Value, recorded: &Value, into: &mut DifferenceCollector) {
    let before = into.total;
    let place: fn(String) -> Location = if into.part == "body" {
        Location::Field
    } else {
        Location::Name
    };
    match (live, recorded) {
        (Value::Json(live), Value::Json(recorded)) => {
            json::compare(live, recorded, &mut Vec::new(), into);
        }
        (Value::Pairs(live), Value::Pairs(recorded)) => {
            named(live, recorded, |text| quote(text), place, into);
        }
        (Value::Fields(live), Value::Fields(recorded)) => {
            let text = |bytes: &bytes::Bytes| quote(&String::from_utf8_lossy(bytes));
            named(live, recorded, text, place, into);
        }
        (Value::BodyParts(live), Value::BodyParts(recorded)) => {
            compare_body_parts(live, recorded, into)
        }
        (Value::Text(_) | Value::Bytes(_), Value::Text(_) | Value::Bytes(_)) => {
            whole(Location::Whole, live, recorded, into)
        }
        (live, recorded) => whole(Location::Kind, live, recorded, into),
    }
    if into.total == before {
        // The pieces are equal one by one, so only their order is left.
        into.add(|| Location::Order, || None, || None);
    }
}

fn whole(place: Location, live: &Value, recorded: &Value, into: &mut DifferenceCollector) {
    into.add(|| place, || Some(show(live)), || Some(show(recorded)));
}

/// Compares the values of each name as one list, since their order counts.
fn named<V: PartialEq>(
    live: &[(String, V)],
    recorded: &[(String, V)],
    text: impl Fn(&V) -> String,
    place: impl Fn(String) -> Location,
    into: &mut DifferenceCollector,
) {
    let mut names: BTreeMap<&str, [Vec<&V>; 2]> = BTreeMap::new();
    for (side, pairs) in [live, recorded].into_iter().enumerate() {
        for (name, value) in pairs {
            names.entry(name).or_default()[side].push(value);
        }
    }
    let join = |values: &[&V]| {
        let texts: Vec<_> = values.iter().map(|value| text(value)).collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    };
    for (name, [live, recorded]) in names {
        if live != recorded {
            into.add(
                || place(name.to_owned()),
                || join(&live),
                || join(&recorded),
            );
        }
    }
}

fn compare_body_parts(live: &[BodyPart], recorded: &[BodyPart], into: &mut DifferenceCollector) {
    let pairs = pair_by_name(live, recorded, |section| section.name.as_deref());
    for (index, pair) in pairs.into_iter().enumerate() {
        let place = |section: &BodyPart| match &section.name {
            Some(name) => Location::Field(name.clone()),
            None => Location::Unnamed(index + 1),
        };
        match pair {
            Paired::Both(live, recorded) => compare_body_part(live, recorded, place(live), into),
            Paired::Live(only) => {
                into.add(|| place(only), || Some(show(&only.content)), || None);
            }
            Paired::Recorded(only) => {
                into.add(|| place(only), || None, || Some(show(&only.content)));
            }
        }
    }
}

fn compare_body_part(
    live: &BodyPart,
    recorded: &BodyPart,
    place: Location,
    into: &mut DifferenceCollector,
) {
    let attributes = [
        ("filename", &live.filename, &recorded.filename),
        ("content-type", &live.content_type, &recorded.content_type),
    ];
    for (name, live, recorded) in attributes {
        if live != recorded {
            let text = |value: &Option<String>| {
                let value = value.as_ref()?;
                Some(format!("{name} {}", quote(value)))
            };
            into.add(|| place.clone(), || text(live), || text(recorded));
        }
    }
    match (&live.content, &recorded.content, &live.name) {
        (live, recorded, _) if live == recorded => {}
        (Value::Json(live), Value::Json(recorded), Some(name)) => {
            json::compare(live, recorded, &mut vec![Step::Name(name.clone())], into);
        }
        (live, recorded, _) => whole(place, live, recorded, into),
    }
}

/// A value on one line: text quoted as JSON quotes it, so that no control character gets through.
fn show(value: &Value) -> String {
    match value {
        Value::Empty => "no body".to_owned(),
        Value::Text(text) => quote(text),
        Value::Bytes(bytes) => {
            let head: String = bytes
                .iter()
                .take(24)
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!("{} bytes {head}", bytes.len())
        }
        Value::Fields(fields) => {
            let text = |bytes| quote(&String::from_utf8_lossy(bytes));
            list(
                fields
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", text(value))),
            )
        }
        Value::Pairs(pairs) => list(
            pairs
                .iter()
                .map(|(name, value)| format!("{name}={}", quote(value))),
        ),
        Value::Json(json) => json.to_string(),
        Value::BodyParts(sections) => {
            let name = |section: &BodyPart| quote(section.name.as_deref().unwrap_or(""));
            format!("multipart {}", list(sections.iter().map(name)))
        }
    }
}

fn list(entries: impl Iterator<Item = String>) -> String {
    entries.collect::<Vec<_>>().join(", ")
}

fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
