//! A change of one setting of `[matcher]`, and what it does to the parts of a key.

use serde_json::{Map, Value};

use crate::key::{KeyPart, MintedRules};
use ouli_codec::json::Pointer;

/// A change of one setting of `[matcher]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// One more entry in a list of what is not compared.
    Ignore {
        /// The list.
        list: IgnoreList,
        /// The missing entry.
        entry: String,
    },
    /// A header that `headers` no longer names, in lower case.
    RemoveHeader(String),
    /// A header that is compared by default, and is ignored now; in lower case.
    IgnoreHeader(String),
    /// Host and port of the upstream are no longer compared.
    IgnoreAuthority,
    /// One more place of values that the client makes up.
    Mint(String),
}

/// A list of `[matcher]` of what is not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IgnoreList {
    /// Query parameters.
    Query,
    /// JSON pointers into the body.
    Body,
    /// Headers that `"*"` leaves out.
    Headers,
}

impl IgnoreList {
    /// The key of the list in `[matcher]`.
    fn as_str(self) -> &'static str {
        match self {
            Self::Query => "ignore_query",
            Self::Body => "ignore_body",
            Self::Headers => "ignore_headers",
        }
    }
}

impl Change {
    /// One more JSON pointer in `ignore_body`.
    pub(super) fn ignore_body(pointer: String) -> Self {
        Self::Ignore {
            list: IgnoreList::Body,
            entry: pointer,
        }
    }

    /// The change that ignores a place in the query or the body, instead of one more place of
    /// values that the client makes up.
    pub(super) fn or_ignore(self) -> Self {
        match self {
            Self::Mint(place) if place.starts_with('/') => Self::ignore_body(place),
            Self::Mint(place) => match place.strip_prefix("query.") {
                Some(name) => Self::Ignore {
                    list: IgnoreList::Query,
                    entry: name.to_owned(),
                },
                None => Self::Mint(place),
            },
            change => change,
        }
    }

    /// The key of the setting in `[matcher]`.
    pub fn setting(&self) -> &'static str {
        match self {
            Self::Ignore { list, .. } => list.as_str(),
            Self::RemoveHeader(_) => "headers",
            Self::IgnoreHeader(_) => IgnoreList::Headers.as_str(),
            Self::IgnoreAuthority => "authority",
            Self::Mint(_) => "minted",
        }
    }

    /// Does to the parts of a key what the built-in matcher does with the changed setting.
    pub(super) fn apply(&self, parts: &mut Vec<KeyPart>) {
        match self {
            Self::Ignore { list, entry } => {
                for part in parts {
                    list.exclude(entry, part);
                }
            }
            Self::RemoveHeader(removed) => remove_header(parts, removed),
            Self::IgnoreHeader(ignored) => {
                remove_header(parts, ignored);
                if ignored == "cookie" {
                    parts.retain(|part| !matches!(part, KeyPart::Cookies));
                }
                for part in parts {
                    IgnoreList::Headers.exclude(ignored, part);
                }
            }
            Self::IgnoreAuthority => {
                parts.retain(|part| !matches!(part, KeyPart::Authority));
            }
            Self::Mint(place) => mint(parts, place),
        }
    }

    /// The change that has the effect under these settings of `[matcher]`: a header that `headers`
    /// does not name is compared by default.
    pub(super) fn under(self, settings: &Map<String, Value>) -> Self {
        match self {
            Self::RemoveHeader(name) if !names_header(settings, &name) => Self::IgnoreHeader(name),
            change => change,
        }
    }

    /// Changes the settings of `[matcher]`.
    pub(super) fn apply_to_settings(&self, settings: &mut Map<String, Value>) {
        match self {
            Self::Ignore { entry, .. } | Self::IgnoreHeader(entry) | Self::Mint(entry) => {
                let list = settings.entry(self.setting()).or_insert_with(empty_list);
                let entry = Value::from(entry.as_str());
                if let Value::Array(entries) = list
                    && !entries.contains(&entry)
                {
                    entries.push(entry);
                }
            }
            Self::RemoveHeader(removed) => {
                let list = settings.entry(self.setting()).or_insert_with(empty_list);
                if let Value::Array(names) = list {
                    names.retain(|name| {
                        let name = name.as_str().unwrap_or_default();
                        !name.eq_ignore_ascii_case(removed)
                    });
                }
            }
            Self::IgnoreAuthority => {
                settings.insert(self.setting().to_owned(), Value::from(false));
            }
        }
    }
}

impl IgnoreList {
    fn exclude(self, entry: &str, part: &mut KeyPart) {
        match (self, part) {
            (Self::Query, KeyPart::Query { except }) => *except = except.with(entry),
            (
                Self::Headers,
                KeyPart::Headers { except }
                | KeyPart::HiddenHeaders { except }
                | KeyPart::Vary { except },
            ) => {
                *except = except.with(&entry.to_ascii_lowercase());
            }
            (Self::Body, KeyPart::Body { except }) => except.extend(Pointer::parse(entry)),
            (_, _) => {}
        }
    }
}

/// Adds a place to the rules; the built-in matcher has none if all are disabled.
fn mint(parts: &mut Vec<KeyPart>, place: &str) {
    let is_minted = |part: &KeyPart| matches!(part, KeyPart::Minted(_));
    if !parts.iter().any(is_minted) {
        parts.push(KeyPart::Minted(MintedRules::default()));
    }
    for part in parts {
        if let KeyPart::Minted(rules) = part {
            // The places that reports name have the right form.
            let _ = rules.add(place);
        }
    }
}

fn remove_header(parts: &mut Vec<KeyPart>, removed: &str) {
    parts.retain(|part| !matches!(part, KeyPart::Header(name) if name == removed));
}

/// True if the list `headers` has this name.
fn names_header(settings: &Map<String, Value>, header: &str) -> bool {
    let names = settings.get("headers").and_then(Value::as_array);
    let mut names = names.into_iter().flatten().filter_map(Value::as_str);
    names.any(|name| name.eq_ignore_ascii_case(header))
}

fn empty_list() -> Value {
    Value::Array(Vec::new())
}
