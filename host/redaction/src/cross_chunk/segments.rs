//! Texts of several parts that belong together.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

use bytes::Bytes;

use super::part_format::PartFormat;
use crate::splice::Replacement;
use ouli_codec::event_stream;
use ouli_codec::json::{Document, Kind, Node, escape};

/// Pointers that are followed through a stream; further ones are not.
const MAX_TEXTS: usize = 10_000;

/// The replacements in each part, by the index of the part.
pub(super) type Edits = [Vec<Replacement<Vec<u8>>>];

/// One text of one part.
#[derive(Clone, Debug)]
pub(super) struct Fragment {
    part: usize,
    /// Where it stands in the part, as it is written there.
    part_range: Range<usize>,
    /// It stands there as a string of JSON.
    quoted: bool,
    /// Where it stands in the strand.
    text_range: Range<usize>,
}

/// Texts that belong together, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct JoinedText {
    bytes: Vec<u8>,
    fragments: Vec<Fragment>,
}

/// The strands of some parts that have more than one text.
pub(super) fn join_texts(parts: &[Bytes], joint: PartFormat) -> Vec<JoinedText> {
    let mut strands = TextJoiner::default();
    for (number, part) in parts.iter().enumerate() {
        for place in payload_ranges(part, joint) {
            let payload = part.slice(place.clone());
            match Document::parse(payload.clone()).filter(is_container) {
                Some(json) => {
                    let mut pointer = String::from("/");
                    strands.json(number, place.start, json.root(), &mut pointer);
                }
                None if std::str::from_utf8(&payload).is_ok() => {
                    strands.add("plain", number, place, (false, &payload));
                }
                None => strands.add("binary", number, place, (false, &payload)),
            }
        }
    }
    let mut all = strands.all;
    all.retain(|strand| strand.fragments.len() > 1);
    all
}

/// All parts as one strand, where some are text and some are not: bytes that are no text may stand
/// before or behind a piece of a secret, and put its part into another strand than the next piece.
pub(super) fn join_mixed(parts: &[Bytes], joint: PartFormat) -> Option<JoinedText> {
    let is_text = |part: &Bytes| std::str::from_utf8(part).is_ok();
    let texts = parts.iter().filter(|part| is_text(part)).count();
    if texts == 0 || texts == parts.len() {
        return None;
    }
    let mut strands = TextJoiner::default();
    for (number, part) in parts.iter().enumerate() {
        for place in payload_ranges(part, joint) {
            let payload = part.slice(place.clone());
            strands.add("mixed", number, place, (false, &payload));
        }
    }
    strands.all.pop()
}

fn payload_ranges(part: &[u8], joint: PartFormat) -> Vec<Range<usize>> {
    let end = match joint {
        PartFormat::Events => return event_stream::data_ranges(part),
        PartFormat::Lines => {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            text.len()
        }
        PartFormat::Messages => part.len(),
    };
    std::iter::once(0..end).collect()
}

fn is_container(json: &Document) -> bool {
    matches!(json.root().kind, Kind::Object(_) | Kind::Array(_))
}

#[derive(Default)]
struct TextJoiner {
    places: HashMap<String, usize>,
    all: Vec<JoinedText>,
}

impl TextJoiner {
    fn json(&mut self, part: usize, start: usize, node: &Node, pointer: &mut String) {
        let length = pointer.len();
        match &node.kind {
            Kind::Object(members) => {
                for member in members {
                    pointer.push('/');
                    pointer.push_str(&escape(&member.name));
                    self.json(part, start, &member.value, pointer);
                    pointer.truncate(length);
                }
            }
            Kind::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    // Writing to a string cannot fail.
                    let _ = write!(pointer, "/{index}");
                    self.json(part, start, element, pointer);
                    pointer.truncate(length);
                }
            }
            Kind::String(text) => {
                let place = start + node.span.start..start + node.span.end;
                self.add(pointer, part, place, (true, text.as_bytes()));
            }
            Kind::Number | Kind::Bool(_) | Kind::Null => {}
        }
    }

    fn add(&mut self, name: &str, part: usize, place: Range<usize>, (quoted, text): (bool, &[u8])) {
        if text.is_empty() {
            return;
        }
        let known = self.places.get(name).copied();
        let strand = match known {
            Some(strand) => strand,
            None if self.all.len() >= MAX_TEXTS => return,
            None => {
                self.places.insert(name.to_owned(), self.all.len());
                self.all.push(JoinedText::default());
                self.all.len() - 1
            }
        };
        let Some(strand) = self.all.get_mut(strand) else {
            return;
        };
        let start = strand.bytes.len();
        strand.bytes.extend_from_slice(text);
        strand.fragments.push(Fragment {
            part,
            part_range: place,
            quoted,
            text_range: start..strand.bytes.len(),
        });
    }
}

impl JoinedText {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All of it, where it is text and no border cuts a character.
    pub(super) fn text(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.bytes).ok()?;
        let mut ends = self.fragments.iter().map(|it| it.text_range.end);
        ends.all(|end| text.is_char_boundary(end)).then_some(text)
    }

    /// True where a range goes over a border.
    pub(super) fn crosses_boundary(&self, range: &Range<usize>) -> bool {
        range.end > self.end_of_fragment(range.start)
    }

    /// Where the fragment ends in which something begins.
    pub(super) fn end_of_fragment(&self, at: usize) -> usize {
        self.fragment(at).end
    }

    /// The fragment in which something begins.
    pub(super) fn fragment(&self, at: usize) -> Range<usize> {
        let place = self.fragments.partition_point(|it| it.text_range.end <= at);
        let end = self.bytes.len();
        let fragment = self.fragments.get(place);
        fragment.map_or(end..end, |fragment| fragment.text_range.clone())
    }

    /// The fragments from a border on.
    pub(super) fn fragments_from(&self, border: usize) -> impl Iterator<Item = Range<usize>> {
        let place = self
            .fragments
            .partition_point(|it| it.text_range.end <= border);
        let rest = self.fragments.get(place..).unwrap_or_default();
        rest.iter().map(|fragment| fragment.text_range.clone())
    }

    /// A range that cuts no character, where the strand is text.
    pub(super) fn whole_characters(&self, range: Range<usize>) -> Range<usize> {
        match self.text() {
            Some(text) => text.floor_char_boundary(range.start)..text.ceil_char_boundary(range.end),
            None => range,
        }
    }

    /// Replaces ranges that are in order and do not overlap: what is new stands where the range
    /// begins, and the rest of it is gone from the following fragments.
    pub(super) fn replace(&self, cuts: &[(Range<usize>, String)], edits: &mut Edits) {
        let mut cuts = cuts.iter().peekable();
        for fragment in &self.fragments {
            let mut new = Vec::new();
            let mut done = fragment.text_range.start;
            let mut changed = false;
            while let Some((range, text)) = cuts.peek() {
                if range.start >= fragment.text_range.end {
                    break;
                }
                let start = range.start.max(fragment.text_range.start);
                let end = range.end.min(fragment.text_range.end);
                new.extend_from_slice(&self.bytes[done..start]);
                if range.start >= fragment.text_range.start {
                    new.extend_from_slice(text.as_bytes());
                }
                (done, changed) = (end, true);
                if range.end > fragment.text_range.end {
                    break;
                }
                cuts.next();
            }
            if !changed {
                continue;
            }
            new.extend_from_slice(&self.bytes[done..fragment.text_range.end]);
            if let Some(edits) = edits.get_mut(fragment.part) {
                let new = fragment.encode(new);
                edits.push(Replacement::new(fragment.part_range.clone(), new));
            }
        }
    }
}

impl Fragment {
    /// A text as it stands in the part.
    fn encode(&self, text: Vec<u8>) -> Vec<u8> {
        if !self.quoted {
            return text;
        }
        let text = String::from_utf8_lossy(&text);
        serde_json::Value::from(text.as_ref())
            .to_string()
            .into_bytes()
    }
}
