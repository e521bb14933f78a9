//! What would make two requests match: a line of configuration if there is one, otherwise a hint.

use std::collections::HashMap;
use std::fmt;

use super::raw_difference::{Location, RawDifference, Step, pointer};
use crate::key::HEADER_PREFIX;

/// What would make two requests match at one difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Add an entry to a list of `[matcher]`.
    Ignore {
        /// The key of the list, for example `ignore_query`.
        list: &'static str,
        /// The missing entry.
        entry: String,
    },
    /// Remove a header from `[matcher] headers`.
    RemoveHeader {
        /// The name in lower case.
        header: String,
    },
    /// There is no setting: the reason, or another remedy.
    Hint(String),
}

impl Remedy {
    /// The line of configuration, if there is one.
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

/// The settings that ignore all of several differences. None if one of them has no setting.
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

/// A remedy for each difference. If several elements of an array differ in the same member, one
/// pointer with `*` covers them all. Settings exist only for the built-in matcher; for the keys of
/// a plugin there are only hints.
pub(super) fn remedies(differences: &[RawDifference], matcher: Option<&str>) -> Vec<Remedy> {
    let shared = shared_pointers(differences);
    let remedy = |difference: &RawDifference| {
        let remedy = remedy(difference, &shared);
        match (matcher, &remedy) {
            (Some(plugin), Remedy::Ignore { .. } | Remedy::RemoveHeader { .. }) => {
                Remedy::Hint(format!(
                    "the matcher {plugin} compares it: change its settings or the parts it declares"
                ))
            }
            (_, _) => remedy,
        }
    };
    differences.iter().map(remedy).collect()
}

fn remedy(difference: &RawDifference, shared: &HashMap<PointerShape<'_>, Vec<Step>>) -> Remedy {
    match &difference.location {
        Location::Pointer(steps) if steps.is_empty() => hint("no setting: the whole body differs"),
        Location::Pointer(steps) => {
            let pattern = shared
                .get(&PointerShape::of(difference, steps))
                .unwrap_or(steps);
            ignore("ignore_body", pointer(pattern))
        }
        Location::Field(name) => ignore("ignore_body", pointer(&[Step::Name(name.clone())])),
        Location::Name(name) => match (
            difference.part.as_str(),
            difference.part.strip_prefix(HEADER_PREFIX),
        ) {
            ("query", _) => ignore("ignore_query", name.clone()),
            (_, Some(header)) => Remedy::RemoveHeader {
                header: header.to_owned(),
            },
            (_, None) => ignore("ignore_headers", name.clone()),
        },
        Location::Unnamed(_) => hint("no setting: only parts with a name can be ignored"),
        Location::Kind => Remedy::Hint(format!(
            "no setting: the {} is of a different kind",
            difference.part
        )),
        Location::Order => hint("no setting: the same parts are in a different order"),
        Location::Whole => whole(&difference.part),
    }
}

fn whole(part: &str) -> Remedy {
    match part {
        "endpoint" | "method" | "authority" | "path" => {
            Remedy::Hint(format!("no setting: the {part} differs"))
        }
        "body" => hint("no setting: a body of this kind is compared byte by byte"),
        "query" | "headers" => Remedy::Hint(format!(
            "no setting: only one of the two keys has the part {part}"
        )),
        own => Remedy::Hint(format!(
            "a plugin computes part {own}: change the plugin or its settings"
        )),
    }
}

fn ignore(list: &'static str, entry: String) -> Remedy {
    Remedy::Ignore { list, entry }
}

fn hint(text: &str) -> Remedy {
    Remedy::Hint(text.to_owned())
}

/// A TOML string. It equals the JSON string except for one character (TOML 1.0, "String").
fn toml(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007f")
}

/// What pointers that differ only in indexes have in common: the names, and which sides have a
/// value.
#[derive(PartialEq, Eq, Hash)]
struct PointerShape<'a> {
    part: &'a str,
    steps: Vec<Option<&'a str>>,
    sides: (bool, bool),
}

impl<'a> PointerShape<'a> {
    fn of(difference: &'a RawDifference, steps: &'a [Step]) -> Self {
        let name = |step: &'a Step| match step {
            Step::Name(name) => Some(name.as_str()),
            Step::Index(_) => None,
        };
        Self {
            part: &difference.part,
            steps: steps.iter().map(name).collect(),
            sides: (difference.live.is_some(), difference.recorded.is_some()),
        }
    }
}

/// For each shape, one pointer that covers all its differences: indexes that vary become `*`.
fn shared_pointers(differences: &[RawDifference]) -> HashMap<PointerShape<'_>, Vec<Step>> {
    let mut shared: HashMap<PointerShape<'_>, Vec<Step>> = HashMap::new();
    for difference in differences {
        let Location::Pointer(steps) = &difference.location else {
            continue;
        };
        let pattern = shared
            .entry(PointerShape::of(difference, steps))
            .or_insert_with(|| steps.clone());
        for (step, other) in pattern.iter_mut().zip(steps) {
            if step != other {
                *step = Step::Name("*".to_owned());
            }
        }
    }
    shared
}
