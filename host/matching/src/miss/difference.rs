//! Compares two requests part by part.

use std::collections::BTreeMap;

use super::json;
use super::pairs::{Paired, pair_by_name};
use super::path_form;
use super::raw_difference::{DifferenceCollector, Location, RawDifference, Step, pointer};
use super::resolution::{Resolution, resolutions};
use crate::key::path::decoded;
use crate::key::{BodyPart, DescribedPart, Value};
use ouli_codec::minted::is_followed;

/// A difference between the live request and a recorded one. Values are redacted and shortened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The name of the part.
    pub part: String,
    /// The location in the part: a JSON pointer, or the name of a parameter, header, form field or
    /// multipart part.
    pub at: Option<String>,
    /// The value in the live request.
    pub live: Option<String>,
    /// The value in the recorded request.
    pub recorded: Option<String>,
    /// What would make the requests match here.
    pub resolution: Resolution,
}

impl Difference {
    fn new(difference: RawDifference, resolution: Resolution) -> Self {
        let at = match difference.location {
            Location::Whole
            | Location::PathForm(_)
            | Location::PathPattern(_)
            | Location::Kind
            | Location::Order => None,
            Location::Name(name) | Location::Field(name) => Some(name),
            Location::Unnamed(number) => Some(format!("part {number}")),
            Location::Pointer(steps) => Some(pointer(&steps)),
        };
        Self {
            part: difference.part,
            at,
            live: difference.live,
            recorded: difference.recorded,
            resolution,
        }
    }
}

impl Difference {
    /// The part and the location in it.
    pub(super) fn location(&self) -> String {
        match &self.at {
            Some(at) => format!("{} {at}", self.part),
            None => self.part.clone(),
        }
    }
}

/// The first differences and the total number.
pub(super) struct Differences {
    pub(super) list: Vec<Difference>,
    pub(super) total: usize,
}

impl Differences {
    /// True if a difference of the same part is at this place.
    pub(super) fn has(&self, part: &str, at: Option<&str>) -> bool {
        let mut list = self.list.iter();
        list.any(|difference| difference.part == part && difference.at.as_deref() == at)
    }
}

/// The differences between two requests. `matcher` names the plugin that derived their keys.
pub(super) fn differences(
    live: &[DescribedPart],
    recorded: &[DescribedPart],
    matcher: Option<&str>,
) -> Differences {
    let mut collector = DifferenceCollector::default();
    for part in pair_by_name(live, recorded, |part| part.name.as_str()) {
        match part {
            Paired::Both(live, recorded) if live.value == recorded.value => {}
            Paired::Both(live, recorded) => {
                collector.part.clone_from(&live.name);
                compare(&live.value, &recorded.value, &mut collector);
            }
            Paired::Live(only) => {
                collector.part.clone_from(&only.name);
                collector.add(|| Location::Whole, || Some(display(&only.value)), || None);
            }
            Paired::Recorded(only) => {
                collector.part.clone_from(&only.name);
                collector.add(|| Location::Whole, || None, || Some(display(&only.value)));
            }
        }
    }
    let resolutions = resolutions(&collector.kept, matcher);
    let list = collector.kept.into_iter().zip(resolutions);
    Differences {
        list: list
            .map(|(difference, resolution)| Difference::new(difference, resolution))
            .collect(),
        total: collector.total,
    }
}

fn compare(live: &Value, recorded: &Value, collector: &mut DifferenceCollector) {
    let before = collector.total;
    let location: fn(String) -> Location = if collector.part == "body" {
        Location::Field
    } else {
        Location::Name
    };
    match (live, recorded) {
        (Value::Json(live), Value::Json(recorded)) => {
            json::compare(live, recorded, &mut Vec::new(), collector);
        }
        (Value::Pairs(live), Value::Pairs(recorded)) => {
            compare_named(live, recorded, |text| quote(text), location, collector);
        }
        (Value::Fields(live), Value::Fields(recorded)) => {
            let text = |bytes: &bytes::Bytes| quote(&String::from_utf8_lossy(bytes));
            compare_named(live, recorded, text, location, collector);
        }
        (Value::BodyParts(live), Value::BodyParts(recorded)) => {
            compare_body_parts(live, recorded, collector)
        }
        (Value::Text(live_path), Value::Text(recorded_path)) if collector.part == "path" => {
            let form = path_form::difference(live_path, recorded_path);
            let location = match form {
                Some(form) => Location::PathForm(form),
                None => minted_segments(live_path, recorded_path)
                    .map_or(Location::Whole, Location::PathPattern),
            };
            add_whole(location, live, recorded, collector)
        }
        (Value::Text(_) | Value::Bytes(_), Value::Text(_) | Value::Bytes(_)) => {
            add_whole(Location::Whole, live, recorded, collector)
        }
        (live, recorded) => add_whole(Location::Kind, live, recorded, collector),
    }
    if collector.total == before {
        // All components are equal, so only their order differs.
        collector.add(|| Location::Order, || None, || None);
    }
}

/// The path with `*` for each segment that differs, if they look as if the client made them up.
fn minted_segments(live: &str, recorded: &str) -> Option<String> {
    let (one, other) = (live.split('/'), recorded.split('/'));
    if one.clone().count() != other.clone().count() {
        return None;
    }
    let segments = one.zip(other).map(|(one, other)| match one == other {
        true => (!one.contains('*')).then_some(one),
        false => [one, other]
            .map(decoded)
            .iter()
            .all(|it| is_followed(it))
            .then_some("*"),
    });
    let segments: Option<Vec<_>> = segments.collect();
    Some(segments?.join("/"))
}

fn add_whole(
    location: Location,
    live: &Value,
    recorded: &Value,
    collector: &mut DifferenceCollector,
) {
    collector.add(
        || location,
        || Some(display(live)),
        || Some(display(recorded)),
    );
}

/// Compares the values of each name as one list, since their order counts.
fn compare_named<V: PartialEq>(
    live: &[(String, V)],
    recorded: &[(String, V)],
    text: impl Fn(&V) -> String,
    location: impl Fn(String) -> Location,
    collector: &mut DifferenceCollector,
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
            collector.add(
                || location(name.to_owned()),
                || join(&live),
                || join(&recorded),
            );
        }
    }
}

fn compare_body_parts(
    live: &[BodyPart],
    recorded: &[BodyPart],
    collector: &mut DifferenceCollector,
) {
    let pairs = pair_by_name(live, recorded, |part| part.name.as_deref());
    for (index, pair) in pairs.into_iter().enumerate() {
        let location = |part: &BodyPart| match &part.name {
            Some(name) => Location::Field(name.clone()),
            None => Location::Unnamed(index + 1),
        };
        match pair {
            Paired::Both(live, recorded) => {
                compare_body_part(live, recorded, location(live), collector)
            }
            Paired::Live(only) => {
                collector.add(|| location(only), || Some(display(&only.content)), || None);
            }
            Paired::Recorded(only) => {
                collector.add(|| location(only), || None, || Some(display(&only.content)));
            }
        }
    }
}

fn compare_body_part(
    live: &BodyPart,
    recorded: &BodyPart,
    location: Location,
    collector: &mut DifferenceCollector,
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
            collector.add(|| location.clone(), || text(live), || text(recorded));
        }
    }
    match (&live.content, &recorded.content, &live.name) {
        (live, recorded, _) if live == recorded => {}
        (Value::Json(live), Value::Json(recorded), Some(name)) => {
            json::compare(
                live,
                recorded,
                &mut vec![Step::Name(name.clone())],
                collector,
            );
        }
        (live, recorded, _) => add_whole(location, live, recorded, collector),
    }
}

/// A value on one line. Text is quoted as JSON, which escapes control characters.
fn display(value: &Value) -> String {
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
            let name = |part: &BodyPart| quote(part.name.as_deref().unwrap_or(""));
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
