//! JSON compared by value: digests of documents, and their full values for reports.

use std::cmp::Ordering;
use std::fmt;

use super::digest::{OrderedDigest, Sketch, Tag, UnorderedDigest, leaf, pair};
use super::exclusions::Exclusions;
use super::number::canonical;
use super::repeated_names::RepeatedNames;
use ouli_codec::json::{Document, Kind, Node};

/// A JSON value without the excluded values. Members are sorted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A decoded string.
    String(String),
    /// The elements with their indexes in the document.
    Array(Vec<(usize, Self)>),
    /// The members, sorted by name. Members of one name have the order of the document.
    Object(Vec<(String, Self)>),
}

impl Json {
    /// The document without the excluded values.
    pub(super) fn of(document: &Document, exclusions: &Exclusions<'_>) -> Self {
        Self::node(document.root(), exclusions)
    }

    fn node(node: Node<'_>, exclusions: &Exclusions<'_>) -> Self {
        match node.kind() {
            Kind::Null => Self::Null,
            Kind::Bool(value) => Self::Bool(value),
            Kind::Number => Self::Number(Number::new(node.text())),
            Kind::String(text) => Self::String(text.into_owned()),
            Kind::Array(elements) => {
                let kept = elements.enumerate().filter_map(|(index, element)| {
                    let exclusions = exclusions.element(index)?;
                    Some((index, Self::node(element, &exclusions)))
                });
                Self::Array(kept.collect())
            }
            Kind::Object(members) => {
                let kept = members.filter_map(|member| {
                    let exclusions = exclusions.member(&member.name)?;
                    let value = Self::node(member.value, &exclusions);
                    Some((member.name.into_owned(), value))
                });
                let mut kept: Vec<_> = kept.collect();
                kept.sort_by(|(one, _), (other, _)| one.cmp(other));
                Self::Object(kept)
            }
        }
    }
}

impl fmt::Display for Json {
    /// Writes JSON without white space.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => out.write_str("null"),
            Self::Bool(value) => write!(out, "{value}"),
            Self::Number(number) => out.write_str(number.text()),
            Self::String(text) => write!(out, "{}", quoted(text)),
            Self::Array(elements) => {
                out.write_str("[")?;
                for (index, (_, element)) in elements.iter().enumerate() {
                    write!(out, "{}{element}", comma(index))?;
                }
                out.write_str("]")
            }
            Self::Object(members) => {
                out.write_str("{")?;
                for (index, (name, value)) in members.iter().enumerate() {
                    write!(out, "{}{}:{value}", comma(index), quoted(name))?;
                }
                out.write_str("}")
            }
        }
    }
}

fn quoted(text: &str) -> serde_json::Value {
    serde_json::Value::from(text)
}

fn comma(index: usize) -> &'static str {
    if index == 0 { "" } else { "," }
}

/// A JSON number that compares by value and is displayed as written.
#[derive(Clone, Debug)]
pub struct Number {
    text: String,
    value: Vec<u8>,
}

impl Number {
    /// A number from its JSON text.
    pub fn new(text: &str) -> Self {
        let mut value = Vec::new();
        canonical(text, &mut value);
        Self {
            text: text.to_owned(),
            value,
        }
    }

    /// The number as written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    /// A total order that groups equal numbers. It is not the numeric order.
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.cmp(&other.value)
    }
}

/// Computes the digest of a document.
pub(super) struct JsonDigester<'a> {
    document: &'a Document,
    /// Reused for every number.
    number: Vec<u8>,
    /// Reused for every object.
    names: RepeatedNames,
    /// A bit for each value in the two outer levels. Values of all levels would set all bits.
    pub(super) sketch: Sketch,
}

/// Number of levels in the sketch.
const SKETCH_DEPTH: usize = 2;

impl<'a> JsonDigester<'a> {
    pub(super) fn new(document: &'a Document) -> Self {
        Self {
            document,
            number: Vec::new(),
            names: RepeatedNames::default(),
            sketch: Sketch::default(),
        }
    }

    /// The digest of the document without the excluded values.
    pub(super) fn root(&mut self, exclusions: &Exclusions<'_>) -> u128 {
        self.node(self.document.root(), exclusions, 1)
    }

    fn node(&mut self, node: Node<'_>, exclusions: &Exclusions<'_>, depth: usize) -> u128 {
        match node.kind() {
            Kind::Null => leaf(Tag::Null, &[]),
            Kind::Bool(false) => leaf(Tag::False, &[]),
            Kind::Bool(true) => leaf(Tag::True, &[]),
            Kind::Number => {
                canonical(node.text(), &mut self.number);
                leaf(Tag::Number, &self.number)
            }
            Kind::String(text) => leaf(Tag::String, text.as_bytes()),
            Kind::Array(elements) => {
                let mut list = OrderedDigest::new(Tag::Array);
                for (index, element) in elements.enumerate() {
                    if let Some(exclusions) = exclusions.element(index) {
                        let digest = self.node(element, &exclusions, depth + 1);
                        self.add_to_sketch(digest.wrapping_add(index as u128), depth);
                        list.push(digest);
                    }
                }
                list.finish()
            }
            Kind::Object(members) => {
                let mut set = UnorderedDigest::default();
                let names = members.clone().map(|member| name_digest(&member.name));
                let mut repeated = self.names.find(names);
                for member in members {
                    if let Some(exclusions) = exclusions.member(&member.name) {
                        let name = name_digest(&member.name);
                        let value = self.node(member.value, &exclusions, depth + 1);
                        let mut digest = pair(Tag::Member, name, value);
                        let before = repeated.count(name);
                        if before > 0 {
                            // Parsers take the first or the last one (RFC 8259, section 4).
                            digest = pair(Tag::Repeated, digest, before);
                        }
                        self.add_to_sketch(digest, depth);
                        set.add(digest);
                    }
                }
                set.finish(Tag::Object)
            }
        }
    }

    fn add_to_sketch(&mut self, digest: u128, depth: usize) {
        if depth <= SKETCH_DEPTH {
            self.sketch.add(digest);
        }
    }
}

fn name_digest(name: &str) -> u128 {
    leaf(Tag::Name, name.as_bytes())
}
