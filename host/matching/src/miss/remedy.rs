//! What would make two requests match: a line of configuration where there is one, else a hint.

use std::collections::HashMap;
use std::fmt;

use super::raw_difference::{Location, RawDifference, Step, pointer};
use crate::key::HEADER_PREFIX;

/// What would make two requests match at one difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A list of `[matcher]` that leaves it out.
    Ignore {
        /// The list's key, for example `ignore_query`.
        list: &'static str,
        /// The entry that it lacks.
        entry: String,
    },
    /// A header that `[matcher] headers` names and need not.
    RemoveHeader {
        /// The header, in lower case.
        header: String,
    },
    /// There is no setting; this says why or what else to do.
    Hint(String),
}

impl Remedy {
    /// The line of configuration, where there is one.
    pub fn setting(&self) -> Option<String> {
        match self {
            Self::Ignore { list, entry } => Some(format!("[matcher] {list} = [{}]", toml(entry))),
            Self::RemoveHeader { header } => Some(format!(
                "[matcher] headers = [...] without {}",
                toml(header)
            )),
            Self::Hint(_) => None,
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hint(hint) => out.write_str(hint),
            Self::Ignore { .. } | Self::RemoveHeader { .. } => {
                write!(out, "to ignore it: {}", self.setting().unwrap_or_default())
            }
        }
    }
}

/// Settings that make several differences go away at once; none where one of them has no setting.
pub(super) fn combined_setting<'a>(remedies: impl Iterator<Item = &'a Remedy>) -> Option<String> {
    let mut lists: Vec<(&str, Vec<String>)> = Vec::new();
    let mut others = Vec::new();
    for remedy in remedies {
        match remedy {
            Remedy::Ignore { list, entry } => {
                let entry = toml(entry);
                match lists.iter_mut().find(|(own, _)| own == list) {
                    Some((_, entries)) if entries.contains(&entry) => {}
                    Some((_, entries)) => entries.push(entry),
                    None => lists.push((list, vec![entry])),
                }
            }
            Remedy::RemoveHeader { header } => {
                others.push(format!("headers = [...] without {}", toml(header)));
            }
            Remedy::Hint(_) => return None,
        }
    }
    let lists = lists.into_iter();
    let lists = lists.map(|(list, entries)| format!("{list} = [{}]", entries.join(", ")));
    let all: Vec<_> = lists.chain(others).collect();
    (!all.is_empty()).then(|| format!("[matcher] {}", all.join(", ")))
}

/// A remedy for each difference. Where several elements of an array differ in the same way, one
/// pointer with `*` serves for all. The settings are those of the built-in matcher: for the keys
/// of a plugin there are hints alone.
pub(super) fn remedies(differences: &[RawDifference], matcher: Option<&str>) -> Vec<Remedy> {
    let shared = shared_pointers(differences);
    let remedy = |raw: &RawDifference| {
        let remedy = remedy(raw, &shared);
        match (matcher, &remedy) {
            (Some(plugin), Remedy::Ignore { .. } | Remedy::RemoveHeader { .. }) => {
                Remedy::Hint(format!(
                    "the matcher {plugin} compares it: change what it declares, or its settings"
                ))
            }
            (_, _) => remedy,
        }
    };
    differences.iter().map(remedy).collect()
}

fn remedy(raw: &RawDifference, shared: &HashMap<PointerShape<'_>, Vec<Step>>) -> Remedy {
    match &raw.place {
        Location::Pointer(steps) if steps.is_empty() => hint("no setting: the body is another one"),
        Location::Pointer(steps) => {
            let general = shared.get(&PointerShape::of(raw, steps)).unwrap_or(steps);
            ignore("ignore_body", pointer(general))
        }
        Location::Field(name) => ignore("ignore_body", pointer(&[Step::Name(name.clone())])),
        Location::Name(name) => match (raw.part.as_str(), raw.part.strip_prefix(HEADER_PREFIX)) {
            ("query", _) => ignore("ignore_query", name.clone()),
            (_, Some(header)) => Remedy::RemoveHeader {
                header: header.to_owned(),
            },
            (_, None) => ignore("ignore_headers", name.clone()),
        },
        Location::Unnamed(_) => hint("no setting: only parts with a name can be ignored"),
        Location::Kind => Remedy::Hint(format!("no setting: the {} is of another kind", raw.part)),
        Location::Order => hint("no setting: the same parts stand in another order"),
        Location::Whole => whole(&raw.part),
    }
}

fn whole(part: &str) -> Remedy {
    match part {
        "endpoint" | "method" | "authority" | "path" => {
            Remedy::Hint(format!("no setting: the {part} is another one"))
        }
        "body" => hint("no setting: a body of this kind is compared byte by byte"),
        "query" | "headers" => Remedy::Hint(format!("no setting: only one of them has a {part}")),
        own => Remedy::Hint(format!(
            "part {own} is made by a plugin: change what it puts there"
        )),
    }
}

fn ignore(list: &'static str, entry: String) -> Remedy {
    Remedy::Ignore { list, entry }
}

fn hint(text: &str) -> Remedy {
    Remedy::Hint(text.to_owned())
}

/// A string as TOML quotes it, which is as JSON does but for one character (TOML 1.0, "String").
fn toml(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007f")
}

/// What pointers share that differ only in indices: the names, and which side lacks a value.
#[derive(PartialEq, Eq, Hash)]
struct PointerShape<'a> {
    part: &'a str,
    steps: Vec<Option<&'a str>>,
    sides: (bool, bool),
}

impl<'a> PointerShape<'a> {
    fn of(raw: &'a RawDifference, steps: &'a [Step]) -> Self {
        let name = |step: &'a Step| match step {
            Step::Name(name) => Some(name.as_str()),
            Step::Index(_) => None,
        };
        Self {
            part: &raw.part,
            steps: steps.iter().map(name).collect(),
            sides: (raw.live.is_some(), raw.recorded.is_some()),
        }
    }
}

/// For each shape one pointer that covers all of its differences: indices that vary are `*`.
fn shared_pointers(differences: &[RawDifference]) -> HashMap<PointerShape<'_>, Vec<Step>> {
    let mut shared: HashMap<PointerShape<'_>, Vec<Step>> = HashMap::new();
    for raw in differences {
        let Location::Pointer(steps) = &raw.place else {
            continue;
        };
        let general = shared
            .entry(PointerShape::of(raw, steps))
            .or_insert_with(|| steps.clone());
        for (ours, theirs) in general.iter_mut().zip(steps) {
            if ours != theirs {
                *ours = Step::Name("*".to_owned());
            }
        }
    }
    shared
}
