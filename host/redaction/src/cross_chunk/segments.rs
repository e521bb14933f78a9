//! Joins the texts of several parts that belong together.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::ops::Range;

use bytes::Bytes;

use super::part_format::PartFormat;
use crate::splice::Replacement;
use ouli_codec::event_stream;
use ouli_codec::json::{Document, Kind, Node, escape};

/// Maximum number of joined texts of a stream. The strings at further pointers are not joined.
const MAX_TEXTS: usize = 10_000;

/// The replacements in the parts that change, by the index of the part.
pub(super) type Edits = BTreeMap<usize, Vec<Replacement<Vec<u8>>>>;

/// The text of one part in a joined text. A stream may have a million, so positions have 32 bits.
#[derive(Clone, Debug)]
pub(super) struct Fragment {
    /// Index of the part.
    part: u32,
    /// Range of the encoded text in the part.
    part_range: Range<u32>,
    /// The text is a JSON string in the part.
    quoted: bool,
    /// End in the joined text. It starts where the fragment before ends.
    text_end: u32,
}

/// The concatenated texts of several parts.
#[derive(Clone, Debug, Default)]
pub(super) struct JoinedText {
    bytes: Vec<u8>,
    fragments: Vec<Fragment>,
}

/// The joined texts of some parts. Texts of a single part are left out.
pub(super) fn join_texts(parts: &[Bytes], format: PartFormat) -> Vec<JoinedText> {
    let mut joined_texts = TextJoiner::default();
    // An event may have several lines of data.
    if parts.len() < 2 && format != PartFormat::Events {
        return Vec::new();
    }
    for (number, part) in parts.iter().enumerate() {
        for range in payload_ranges(part, format) {
            let payload = part.slice(range.clone());
            match container(&payload) {
                Some(json) => {
                    let mut pointer = String::from("/");
                    joined_texts.json(number, range.start, json.root(), &mut pointer);
                }
                None if std::str::from_utf8(&payload).is_ok() => {
                    joined_texts.add("plain", number, range, (false, &payload));
                }
                None => joined_texts.add("binary", number, range, (false, &payload)),
            }
        }
    }
    let mut all = joined_texts.all;
    all.retain(|joined| joined.fragments.len() > 1);
    all
}

/// Joins all parts if some are text and some are not. Bytes that are not text may surround one half
/// of a secret, so that `join_texts` separates its part from the part with the other half.
pub(super) fn join_mixed(parts: &[Bytes], format: PartFormat) -> Option<JoinedText> {
    let is_text = |part: &Bytes| std::str::from_utf8(part).is_ok();
    let texts = parts.iter().filter(|part| is_text(part)).count();
    if texts == 0 || texts == parts.len() {
        return None;
    }
    let mut joined_texts = TextJoiner::default();
    for (number, part) in parts.iter().enumerate() {
        for range in payload_ranges(part, format) {
            let payload = part.slice(range.clone());
            joined_texts.add("mixed", number, range, (false, &payload));
        }
    }
    joined_texts.all.pop()
}

fn payload_ranges(part: &[u8], format: PartFormat) -> Vec<Range<usize>> {
    let end = match format {
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

/// An object or array.
fn container(payload: &Bytes) -> Option<Document> {
    let first = payload.trim_ascii_start().first()?;
    matches!(first, b'{' | b'[')
        .then(|| Document::parse(payload.clone()))
        .flatten()
}

#[derive(Default)]
struct TextJoiner {
    indexes: HashMap<String, usize>,
    all: Vec<JoinedText>,
}

impl TextJoiner {
    fn json(&mut self, part: usize, start: usize, node: Node<'_>, pointer: &mut String) {
        let length = pointer.len();
        match node.kind() {
            Kind::Object(members) => {
                for member in members {
                    pointer.push('/');
                    pointer.push_str(&escape(&member.name));
                    self.json(part, start, member.value, pointer);
                    pointer.truncate(length);
                }
            }
            Kind::Array(elements) => {
                for (index, element) in elements.enumerate() {
                    // Writing to a string cannot fail.
                    let _ = write!(pointer, "/{index}");
                    self.json(part, start, element, pointer);
                    pointer.truncate(length);
                }
            }
            Kind::String(text) => {
                let span = node.span();
                let range = start + span.start..start + span.end;
                self.add(pointer, part, range, (true, text.as_bytes()));
            }
            Kind::Number | Kind::Bool(_) | Kind::Null => {}
        }
    }

    fn add(&mut self, name: &str, part: usize, range: Range<usize>, (quoted, text): (bool, &[u8])) {
        if text.is_empty() {
            return;
        }
        let known = self.indexes.get(name).copied();
        let joined = match known {
            Some(joined) => joined,
            None if self.all.len() >= MAX_TEXTS => return,
            None => {
                self.indexes.insert(name.to_owned(), self.all.len());
                self.all.push(JoinedText::default());
                self.all.len() - 1
            }
        };
        let Some(joined) = self.all.get_mut(joined) else {
            return;
        };
        // A text of 4 GiB is not joined further.
        let end = u32::try_from(joined.bytes.len() + text.len());
        let range = (u32::try_from(range.start), u32::try_from(range.end));
        let (Ok(part), (Ok(from), Ok(to)), Ok(text_end)) = (u32::try_from(part), range, end) else {
            return;
        };
        joined.bytes.extend_from_slice(text);
        joined.fragments.push(Fragment {
            part,
            part_range: from..to,
            quoted,
            text_end,
        });
    }
}

impl JoinedText {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole text, if it is UTF-8 and no boundary is within a character.
    pub(super) fn text(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.bytes).ok()?;
        let mut ends = self.fragments.iter().map(|it| it.text_end as usize);
        ends.all(|end| text.is_char_boundary(end)).then_some(text)
    }

    /// True if a range crosses a boundary.
    pub(super) fn crosses_boundary(&self, range: &Range<usize>) -> bool {
        range.end > self.end_of_fragment(range.start)
    }

    /// The end of the fragment at a position.
    pub(super) fn end_of_fragment(&self, at: usize) -> usize {
        self.fragment(at).end
    }

    /// The range of the fragment at a position.
    pub(super) fn fragment(&self, at: usize) -> Range<usize> {
        let index = self.index_after(at);
        let end = self.bytes.len();
        let is_known = index < self.fragments.len();
        if is_known {
            self.text_range(index)
        } else {
            end..end
        }
    }

    /// The ranges of the fragments after a boundary.
    pub(super) fn fragments_from(&self, boundary: usize) -> impl Iterator<Item = Range<usize>> {
        (self.index_after(boundary)..self.fragments.len()).map(|index| self.text_range(index))
    }

    /// The index of the first fragment that ends after a position.
    fn index_after(&self, at: usize) -> usize {
        self.fragments
            .partition_point(|it| it.text_end as usize <= at)
    }

    /// The range of a fragment in the joined text.
    fn text_range(&self, index: usize) -> Range<usize> {
        let end = |index: usize| {
            self.fragments
                .get(index)
                .map_or(0, |it| it.text_end as usize)
        };
        index.checked_sub(1).map_or(0, end)..end(index)
    }

    /// Extends a range to whole characters, if the joined text is UTF-8.
    pub(super) fn whole_characters(&self, range: Range<usize>) -> Range<usize> {
        match self.text() {
            Some(text) => text.floor_char_boundary(range.start)..text.ceil_char_boundary(range.end),
            None => range,
        }
    }

    /// Adds the edits for replacements that are sorted and do not overlap. The fragment in which a
    /// range begins gets the new text; the rest of the range is removed from the fragments after
    /// it.
    pub(super) fn replace(&self, replacements: &[(Range<usize>, String)], edits: &mut Edits) {
        let mut replacements = replacements.iter().peekable();
        if replacements.len() == 0 {
            return;
        }
        for (index, fragment) in self.fragments.iter().enumerate() {
            let text_range = self.text_range(index);
            let mut new = Vec::new();
            let mut copied_to = text_range.start;
            let mut changed = false;
            while let Some((range, text)) = replacements.peek() {
                if range.start >= text_range.end {
                    break;
                }
                let start = range.start.max(text_range.start);
                let end = range.end.min(text_range.end);
                new.extend_from_slice(&self.bytes[copied_to..start]);
                if range.start >= text_range.start {
                    new.extend_from_slice(text.as_bytes());
                }
                (copied_to, changed) = (end, true);
                if range.end > text_range.end {
                    break;
                }
                replacements.next();
            }
            if !changed {
                continue;
            }
            new.extend_from_slice(&self.bytes[copied_to..text_range.end]);
            let part_range = fragment.part_range.start as usize..fragment.part_range.end as usize;
            let replacement = Replacement::new(part_range, fragment.encode(new));
            let edits = edits.entry(fragment.part as usize).or_default();
            edits.push(replacement);
        }
    }
}

impl Fragment {
    /// Encodes a text for the part.
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
