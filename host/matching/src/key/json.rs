//! JSON compared by value: digests of documents, and their full values for reports.

use std::cmp::Ordering;
use std::fmt;

use super::digest::{OrderedDigest, Sketch, Tag, UnorderedDigest, leaf, pair};
use super::exclusions::Exclusions;
use super::holes::{Holes, child};
use super::minted::Minted;
use super::number::canonical;
use super::repeated_names::RepeatedNames;
use ouli_codec::identity::has_hole;
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
    pub(super) fn of(
        document: &Document,
        exclusions: &Exclusions<'_>,
        minted: &Minted<'_>,
    ) -> Self {
        Self::node(document.root(), exclusions, minted)
    }

    fn node(node: Node<'_>, exclusions: &Exclusions<'_>, minted: &Minted<'_>) -> Self {
        match node.kind() {
            Kind::Number if exclusions.is_minted() => {
                Self::String(minted.shown_in_json(node.text()).to_owned())
            }
            Kind::String(text) if exclusions.is_minted() => {
                Self::String(minted.shown_in_json(&text).to_owned())
            }
            Kind::String(text) if minted.is_searching() => Self::String(minted.hide(&text)),
            Kind::Null => Self::Null,
            Kind::Bool(value) => Self::Bool(value),
            Kind::Number => Self::Number(Number::new(node.text())),
            Kind::String(text) => Self::String(text.into_owned()),
            Kind::Array(elements) => {
                let kept = elements.enumerate().filter_map(|(index, element)| {
                    let exclusions = exclusions.element(index)?;
                    Some((index, Self::node(element, &exclusions, minted)))
                });
                Self::Array(kept.collect())
            }
            Kind::Object(members) => {
                let kept = members.filter_map(|member| {
                    let exclusions = exclusions.member(&member.name)?;
                    let value = Self::node(member.value, &exclusions, minted);
                    Some((minted.hide(&member.name), value))
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
pub(super) struct JsonDigester<'a, 'h, 'm> {
    document: &'a Document,
    holes: &'h mut Holes<'m>,
    /// True if the document may have holes, or values that the client made up.
    has_gaps: bool,
    /// Reused for every number.
    number: Vec<u8>,
    /// Reused for every object.
    names: RepeatedNames,
    /// A bit for each value in the two outer levels. Values of all levels would set all bits.
    pub(super) sketch: Sketch,
}

/// Number of levels in the sketch.
const SKETCH_DEPTH: usize = 2;

impl<'a, 'h, 'm> JsonDigester<'a, 'h, 'm> {
    pub(super) fn new(document: &'a Document, holes: &'h mut Holes<'m>) -> Self {
        Self {
            has_gaps: has_hole(document.text()) || holes.minted.is_searching(),
            holes,
            document,
            number: Vec::new(),
            names: RepeatedNames::default(),
            sketch: Sketch::default(),
        }
    }

    /// The digest of the document at a place, without the excluded values.
    pub(super) fn root(&mut self, exclusions: &Exclusions<'_>, place: u128) -> u128 {
        self.node(self.document.root(), exclusions, (1, place))
    }

    fn node(
        &mut self,
        node: Node<'_>,
        exclusions: &Exclusions<'_>,
        (depth, place): (usize, u128),
    ) -> u128 {
        match node.kind() {
            Kind::Number if exclusions.is_minted() => self.holes.json_spot(node.text(), place),
            Kind::String(text) if exclusions.is_minted() => self.holes.json_spot(&text, place),
            Kind::Null => leaf(Tag::Null, &[]),
            Kind::Bool(false) => leaf(Tag::False, &[]),
            Kind::Bool(true) => leaf(Tag::True, &[]),
            Kind::Number => {
                canonical(node.text(), &mut self.number);
                leaf(Tag::Number, &self.number)
            }
            Kind::String(text) => self.text(Tag::String, &text, place),
            Kind::Array(elements) => {
                let (mut list, mut kept) = (OrderedDigest::new(Tag::Array), 0);
                for (index, element) in elements.enumerate() {
                    if let Some(exclusions) = exclusions.element(index) {
                        let place = self.child(place, kept);
                        let digest = self.node(element, &exclusions, (depth + 1, place));
                        self.add_to_sketch(digest.wrapping_add(index as u128), depth);
                        list.push(digest);
                        kept += 1;
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
                        let name = self.text(Tag::Name, &member.name, place);
                        let place = self.child(place, name);
                        let value = self.node(member.value, &exclusions, (depth + 1, place));
                        let mut digest = pair(Tag::Member, name, value);
                        let before = repeated.count(name_digest(&member.name));
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

    fn text(&mut self, tag: Tag, text: &str, place: u128) -> u128 {
        match self.has_gaps {
            true => self.holes.leaf(tag, text.as_bytes(), place),
            false => leaf(tag, text.as_bytes()),
        }
    }

    /// A place within another one. Without holes no place is needed.
    fn child(&self, place: u128, step: u128) -> u128 {
        match self.has_gaps {
            true => child(place, step),
            false => 0,
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
