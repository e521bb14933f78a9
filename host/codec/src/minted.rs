//! Values that clients make up, such as ids of jobs: searched for as whole words.
//!
//! A value is found by the longest run of letters and digits in it, its anchor. A text is read
//! once, and only runs that are anchors are compared further.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::randomness::{is_common_word, looks_random};
use crate::words::{for_each_word, is_whole, percent_encoded};

/// Shorter values occur by chance.
pub(crate) const MIN_LEN: usize = 8;

/// Longer values are documents, not ids.
const MAX_LEN: usize = 256;

/// So many digits are no number that people write.
const MIN_DIGITS: usize = 16;

/// Values with one anchor differ in what is around it, at most in so many ways.
const MAX_SHAPES: usize = 16;

/// True for a value that is followed wherever it stands: it is neither short nor a word or a
/// number, and is written in the same way in URLs and in JSON.
pub fn is_followed(value: &str) -> bool {
    let bytes = value.as_bytes();
    let has = |kind: fn(&u8) -> bool| bytes.iter().any(kind);
    (MIN_LEN..=MAX_LEN).contains(&bytes.len())
        && is_plain(value)
        && !is_common_word(bytes)
        && match (has(u8::is_ascii_digit), has(u8::is_ascii_alphabetic)) {
            (true, true) => true,
            (true, false) => bytes.len() >= MIN_DIGITS,
            (false, _) => looks_random(bytes),
        }
}

/// True for a text that is written in the same way in URLs, JSON and headers.
pub fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte);
    !text.is_empty() && text.bytes().all(is_plain)
}

/// A value in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Where it is.
    pub range: Range<usize>,
    /// The value.
    pub value: Arc<str>,
}

/// A set of values that can be searched for, each with what is known of it.
#[derive(Clone, Debug)]
pub struct ValueSet<T = ()> {
    /// By the hash of an anchor.
    shapes: HashMap<u64, Vec<Shape>>,
    values: HashMap<Arc<str>, T>,
    /// The values that are written otherwise in URLs, by these spellings.
    encoded: HashMap<Arc<str>, Arc<str>>,
}

/// Where values are around their anchors.
#[derive(Clone, Copy, Debug)]
struct Shape {
    before: usize,
    len: usize,
    /// The number of these values.
    count: usize,
}

impl<T> Default for ValueSet<T> {
    fn default() -> Self {
        Self {
            shapes: HashMap::new(),
            values: HashMap::new(),
            encoded: HashMap::new(),
        }
    }
}

impl ValueSet {
    /// Adds a value. False if it is there already, or others of its anchor are too many.
    pub fn insert(&mut self, value: &Arc<str>) -> bool {
        self.insert_with(value, ())
    }
}

impl<T> ValueSet<T> {
    /// The same with what is known of it.
    pub(crate) fn insert_with(&mut self, value: &Arc<str>, known: T) -> bool {
        if self.values.contains_key(value) || !self.add_shape(value) {
            return false;
        }
        for spelling in percent_encoded(value) {
            if self.add_shape(&spelling) {
                self.encoded.insert(spelling.into(), Arc::clone(value));
            }
        }
        self.values.insert(Arc::clone(value), known);
        true
    }

    /// True if a text can be found.
    fn add_shape(&mut self, text: &str) -> bool {
        let Some((anchor, hash)) = anchor(text.as_bytes()) else {
            return false;
        };
        // Most anchors have one.
        let shapes = self.shapes.entry(hash);
        let shapes = shapes.or_insert_with(|| Vec::with_capacity(1));
        let (before, len) = (anchor.start, text.len());
        match shapes.iter().position(|it| it.is(before, len)) {
            Some(at) => shapes[at].count += 1,
            None if shapes.len() >= MAX_SHAPES => return false,
            None => shapes.push(Shape {
                before,
                len,
                count: 1,
            }),
        }
        true
    }

    /// Removes the values for which `keep` is false.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str, &T) -> bool) {
        let Self {
            shapes,
            values,
            encoded,
        } = self;
        values.retain(|value, known| {
            let is_kept = keep(value, known);
            if !is_kept {
                remove_shape(shapes, value);
                for spelling in percent_encoded(value) {
                    if encoded.remove(&*spelling).is_some() {
                        remove_shape(shapes, &spelling);
                    }
                }
            }
            is_kept
        });
        shapes.shrink_to(2 * shapes.len());
        values.shrink_to(2 * values.len());
        encoded.shrink_to(2 * encoded.len());
    }

    /// True if it has no value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &T)> {
        self.values.iter()
    }

    /// The hashes of the anchors.
    pub(crate) fn anchors(&self) -> impl Iterator<Item = u64> {
        self.shapes.keys().copied()
    }

    /// The value of the set that is equal to a text, or to its percent-encoding, and what is known
    /// of it.
    pub fn get(&self, text: &str) -> Option<(&Arc<str>, &T)> {
        let known = self.values.get_key_value(text);
        known.or_else(|| self.values.get_key_value(self.encoded.get(text)?))
    }

    /// Adds the values around a word of a text that begins at a place and has this hash.
    pub(crate) fn add_around(
        &self,
        text: &[u8],
        (word, hash): (usize, u64),
        found: &mut Vec<Occurrence>,
    ) {
        for shape in self.shapes.get(&hash).into_iter().flatten() {
            let range = word.checked_sub(shape.before).map(|at| at..at + shape.len);
            let Some(range) = range.filter(|range| is_whole(text, range)) else {
                continue;
            };
            let known = text.get(range.clone());
            let known = known.and_then(|it| std::str::from_utf8(it).ok());
            if let Some((value, _)) = known.and_then(|known| self.get(known)) {
                let value = Arc::clone(value);
                found.push(Occurrence { range, value });
            }
        }
    }
}

impl Shape {
    fn is(&self, before: usize, len: usize) -> bool {
        self.before == before && self.len == len
    }
}

/// A text with this shape is not searched for any more.
fn remove_shape(shapes: &mut HashMap<u64, Vec<Shape>>, text: &str) {
    let Some((anchor, hash)) = anchor(text.as_bytes()) else {
        return;
    };
    let Some(own) = shapes.get_mut(&hash) else {
        return;
    };
    if let Some(at) = own.iter().position(|it| it.is(anchor.start, text.len())) {
        own[at].count -= 1;
        if own[at].count == 0 {
            own.swap_remove(at);
        }
    }
    if own.is_empty() {
        shapes.remove(&hash);
    }
}

/// The longest run of letters and digits of a value, and its hash.
fn anchor(value: &[u8]) -> Option<(Range<usize>, u64)> {
    let mut longest: Option<(Range<usize>, u64)> = None;
    for_each_word(value, |range, hash| {
        let is_longer = |(known, _): &(Range<usize>, u64)| range.len() > known.len();
        if longest.as_ref().is_none_or(is_longer) {
            longest = Some((range, hash));
        }
    });
    longest
}

/// The hashes of the anchors of a value and of its spellings in URLs.
pub(crate) fn anchor_hashes(value: &str) -> Vec<u64> {
    let encoded = percent_encoded(value);
    let spellings = encoded.iter().map(String::as_str).chain([value]);
    let anchors = spellings.filter_map(|it| anchor(it.as_bytes()));
    anchors.map(|(_, hash)| hash).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0b7c1f1e-3d52-4c3e-9a43-2f3c5d6e7f80";

    #[test]
    fn ids_are_followed_and_words_and_numbers_are_not() {
        for value in [
            ID,
            "run-2026x1",
            "x7Jk2LmQ9",
            "1234567890123456",
            "job_aZ81kPq2",
        ] {
            assert!(is_followed(value), "{value}");
        }
        let long = "a1".repeat(200);
        for value in [
            "7",
            "a1",
            "customer-report",
            "1700000000",
            "run-12345",
            "a/b-c1d2e3f4",
            "a b c 1 2 3",
            &*long,
        ] {
            assert!(!is_followed(value), "{value}");
        }
    }

    #[test]
    fn values_around_one_anchor_are_bounded() {
        let mut set = ValueSet::default();
        let inserted = (0..100).filter(|len| {
            let value = format!("{}-abcdefgh12", "x-".repeat(*len));
            set.insert(&value.as_str().into())
        });
        assert_eq!(inserted.count(), MAX_SHAPES);
    }
}
