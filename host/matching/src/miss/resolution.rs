//! What resolves one difference between two requests: a changed setting, or a hint.

use std::collections::HashMap;
use std::fmt;

use super::change::{Change, IgnoreList};
use super::raw_difference::{Location, RawDifference, Step, pointer};
use crate::key::{HEADER_PREFIX, differ_in_shape};
use ouli_codec::minted::is_followed;
use ouli_codec::shape::may_be_of_one_client;

/// What would make two requests match at one difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// A changed setting of `[matcher]`.
    Setting(Change),
    /// Both are the same path in another form, such as another case. There is no setting.
    PathForm(&'static str),
    /// There is no setting: the reason, or what else helps.
    Hint(String),
}

impl fmt::Display for Resolution {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hint(hint) => out.write_str(hint),
            Self::PathForm(form) => write!(out, "differs only in {form}; no setting ignores it"),
            Self::Setting(change) => write!(out, "matcher.{}", change.setting()),
        }
    }
}

/// A resolution for each difference. If several elements of an array differ in the same member, one
/// pointer with `*` covers them all. Settings exist only for the built-in matcher; for the keys of
/// a plugin there are only hints.
pub(super) fn resolutions(differences: &[RawDifference], matcher: Option<&str>) -> Vec<Resolution> {
    let shared = shared_pointers(differences);
    let resolution = |difference: &RawDifference| match (matcher, resolution(difference, &shared)) {
        (Some(plugin), Resolution::Setting(_)) => Resolution::Hint(format!(
            "the matcher {plugin} compares it: change its settings or the parts it declares"
        )),
        (_, resolution) => resolution,
    };
    differences.iter().map(resolution).collect()
}

fn resolution(
    difference: &RawDifference,
    shared: &HashMap<PointerShape<'_>, Vec<Step>>,
) -> Resolution {
    let part = difference.part.as_str();
    if is_of_other_shape(difference) {
        return hint(OTHER_SHAPE);
    }
    let is_minted = looks_minted(difference);
    match &difference.location {
        Location::Pointer(steps) => {
            let pattern = shared
                .get(&PointerShape::of(difference, steps))
                .unwrap_or(steps);
            match is_minted && !pattern.is_empty() {
                true => mint(pointer(pattern)),
                false => ignore(IgnoreList::Body, pointer(pattern)),
            }
        }
        Location::Field(name) => match is_minted {
            true => mint(pointer(&[Step::Name(name.clone())])),
            false => ignore(IgnoreList::Body, pointer(&[Step::Name(name.clone())])),
        },
        // A part without a name counts as one with an empty name.
        Location::Unnamed(_) => ignore(IgnoreList::Body, pointer(&[Step::Name(String::new())])),
        Location::Name(name) => match part.strip_prefix(HEADER_PREFIX) {
            Some(header) => Resolution::Setting(Change::RemoveHeader(header.to_owned())),
            None if part == "query" && is_minted => mint(format!("query.{name}")),
            None if part == "query" => ignore(IgnoreList::Query, name.clone()),
            None if part == "cookies" => Resolution::Setting(Change::IgnoreHeader(name.clone())),
            None => ignore(IgnoreList::Headers, name.clone()),
        },
        Location::PathForm(form) => Resolution::PathForm(form),
        Location::PathPattern(path) => mint(format!("path.{path}")),
        Location::Whole | Location::Kind | Location::Order => whole(difference),
    }
}

fn whole(difference: &RawDifference) -> Resolution {
    match difference.part.as_str() {
        // The empty pointer is the whole document (RFC 6901, section 5).
        "body" => ignore(IgnoreList::Body, String::new()),
        "authority" => Resolution::Setting(Change::IgnoreAuthority),
        part @ ("method" | "path") => Resolution::Hint(format!("no setting ignores the {part}")),
        "endpoint" => {
            let recorded = difference.recorded.as_deref().unwrap_or_default();
            Resolution::Hint(format!("set name = {recorded} in this [[endpoint]]"))
        }
        "type" => hint("one of the two is a binary message, the other a text message"),
        "protocol" => hint("only one of the two is a WebSocket handshake"),
        part @ ("query" | "headers") => {
            Resolution::Hint(format!("only one of the two keys has the part {part}"))
        }
        own => Resolution::Hint(format!(
            "a plugin computes part {own}: change the plugin or its settings"
        )),
    }
}

/// Why a value that the client made up does not match in a place of such values.
const OTHER_SHAPE: &str = "only one of the two values is a UUID, and a declared place takes values \
                           like the recorded one";

/// True if a difference is only between values in a place where the client makes them up.
fn is_of_other_shape(difference: &RawDifference) -> bool {
    match (&difference.live, &difference.recorded) {
        (Some(live), Some(recorded)) => differ_in_shape(live, recorded),
        (_, _) => false,
    }
}

/// True if both values look as if one client made them up.
fn looks_minted(difference: &RawDifference) -> bool {
    let (Some(live), Some(recorded)) = (&difference.live, &difference.recorded) else {
        return false;
    };
    let inner = |text: &str| text.trim_matches('"').to_owned();
    let (live, recorded) = (inner(live), inner(recorded));
    is_followed(&live) && is_followed(&recorded) && may_be_of_one_client(&live, &recorded)
}

fn mint(place: String) -> Resolution {
    Resolution::Setting(Change::Mint(place))
}

fn ignore(list: IgnoreList, entry: String) -> Resolution {
    Resolution::Setting(Change::Ignore { list, entry })
}

fn hint(text: &str) -> Resolution {
    Resolution::Hint(text.to_owned())
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
