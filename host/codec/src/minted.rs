//! Values that clients make up, such as ids of jobs: searched for as whole words.
//!
//! A value is found by the longest run of letters and digits in it, its anchor. A text is read
//! once, and only runs that are anchors are compared further.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use crate::randomness::{is_common_word, looks_random};
use crate::words::{for_each_word, is_whole, percent_encoded};

/// Shorter values occur by chance.
const MIN_LEN: usize = 8;

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
    /// The value. In the text it may be percent-encoded.
    pub value: Arc<str>,
}

/// A set of values that can be searched for.
#[derive(Clone, Debug, Default)]
pub struct ValueSet {
    /// By the hash of an anchor.
    shapes: HashMap<u64, Vec<Shape>>,
    values: HashSet<Arc<str>>,
    /// The values that are written otherwise in URLs, by these spellings.
    encoded: HashMap<Arc<str>, Arc<str>>,
}

/// Where a value is around its anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    before: usize,
    len: usize,
}

impl ValueSet {
    /// Adds a value. False if it is there already, or others of its anchor are too many.
    pub fn insert(&mut self, value: &Arc<str>) -> bool {
        if !self.add_shape(value) {
            return false;
        }
        for spelling in percent_encoded(value) {
            if self.add_shape(&spelling) {
                self.encoded.insert(spelling.into(), Arc::clone(value));
            }
        }
        self.values.insert(Arc::clone(value))
    }

    /// True if a text can be found.
    fn add_shape(&mut self, text: &str) -> bool {
        let Some((anchor, hash)) = anchor(text.as_bytes()) else {
            return false;
        };
        let shape = Shape {
            before: anchor.start,
            len: text.len(),
        };
        let shapes = self.shapes.entry(hash).or_default();
        if !shapes.contains(&shape) {
            if shapes.len() >= MAX_SHAPES {
                return false;
            }
            shapes.push(shape);
        }
        true
    }

    /// True if it has no value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value of the set that is equal to a text, or to its percent-encoding.
    pub fn get(&self, text: &str) -> Option<&Arc<str>> {
        self.values.get(text).or_else(|| self.encoded.get(text))
    }

    /// The values in a text, in order and without overlaps.
    pub fn find(&self, text: &[u8]) -> Vec<Occurrence> {
        find(text, None, self)
    }

    fn add_around(&self, text: &[u8], (word, hash): (usize, u64), found: &mut Vec<Occurrence>) {
        for shape in self.shapes.get(&hash).into_iter().flatten() {
            let range = word.checked_sub(shape.before).map(|at| at..at + shape.len);
            let Some(range) = range.filter(|range| is_whole(text, range)) else {
                continue;
            };
            let known = text.get(range.clone());
            let known = known.and_then(|it| std::str::from_utf8(it).ok());
            if let Some(value) = known.and_then(|known| self.get(known)) {
                let value = Arc::clone(value);
                found.push(Occurrence { range, value });
            }
        }
    }
}

/// The values of one session. Who searches waits for nobody unless a run may be an anchor.
#[derive(Debug)]
pub struct MintedValues {
    limit: usize,
    filter: OnceLock<Box<Filter>>,
    set: RwLock<ValueSet>,
}

/// A set bit for the hash of each anchor.
type Filter = [AtomicU64; FILTER_WORDS];

const FILTER_WORDS: usize = 1024;

impl MintedValues {
    /// No values; there may be so many.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            limit,
            filter: OnceLock::new(),
            set: RwLock::default(),
        }
    }

    /// Adds values. Those beyond the limit count in their own place alone.
    pub fn extend<'a>(&self, values: impl IntoIterator<Item = &'a Arc<str>>) {
        for value in values {
            self.insert(value);
        }
    }

    fn insert(&self, value: &Arc<str>) -> bool {
        if self.get(value).is_some() {
            return true;
        }
        let mut set = self.set.write().unwrap_or_else(PoisonError::into_inner);
        if set.values.len() >= self.limit || !set.insert(value) {
            return false;
        }
        drop(set);
        let filter = self
            .filter
            .get_or_init(|| Box::new([const { AtomicU64::new(0) }; FILTER_WORDS]));
        let encoded = percent_encoded(value);
        let spellings = encoded.iter().map(String::as_str).chain([&**value]);
        for (_, hash) in spellings.filter_map(|it| anchor(it.as_bytes())) {
            let (word, bit) = place(hash);
            filter[word].fetch_or(bit, Ordering::Release);
        }
        true
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        set.values.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.filter.get().is_none()
    }

    /// The known value that is equal to a text.
    pub fn get(&self, text: &str) -> Option<Arc<str>> {
        self.filter.get()?;
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        set.get(text).cloned()
    }

    fn add_around(&self, text: &[u8], word: (usize, u64), found: &mut Vec<Occurrence>) {
        let (at, bit) = place(word.1);
        let filter = self.filter.get().map(|filter| &filter[at]);
        if filter.is_some_and(|bits| bits.load(Ordering::Acquire) & bit != 0) {
            let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
            set.add_around(text, word, found);
        }
    }
}

/// The values in a text, in order and without overlaps: those of a session, and further ones. Of
/// two that overlap, the one that begins first, then the longer one.
pub fn find(text: &[u8], known: Option<&MintedValues>, own: &ValueSet) -> Vec<Occurrence> {
    let mut found = Vec::new();
    if text.len() < MIN_LEN || (own.is_empty() && known.is_none_or(MintedValues::is_empty)) {
        return found;
    }
    for_each_word(text, |range, hash| {
        if let Some(known) = known {
            known.add_around(text, (range.start, hash), &mut found);
        }
        if !own.is_empty() {
            own.add_around(text, (range.start, hash), &mut found);
        }
    });
    found.sort_by_key(|it| (it.range.start, usize::MAX - it.range.end));
    let mut free_from = 0;
    found.retain(|it| {
        let is_free = it.range.start >= free_from;
        free_from = if is_free { it.range.end } else { free_from };
        is_free
    });
    found
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

fn place(hash: u64) -> (usize, u64) {
    let bits = usize::try_from(hash >> 48).unwrap_or(0);
    (bits / 64 % FILTER_WORDS, 1 << (bits % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::spelled_like;

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
    fn values_are_found_as_whole_words() {
        let values = MintedValues::with_limit(3);
        assert!(
            values.is_empty()
                && find(ID.as_bytes(), Some(&values), &ValueSet::default()).is_empty()
        );
        for value in [ID, "run-2026x1", "run-2026x1-b"] {
            assert!(values.insert(&value.into()));
            assert!(values.insert(&value.into()), "it is known");
        }
        assert!(!values.insert(&"one-more-4711a".into()));
        let mut own = ValueSet::default();
        own.insert(&"own-9f8e7d6c".into());
        let found = |text: &str| -> Vec<String> {
            let found = find(text.as_bytes(), Some(&values), &own);
            found
                .iter()
                .map(|it| format!("{}@{}", it.value, it.range.start))
                .collect()
        };
        assert_eq!(found(&format!("/jobs/{ID}/log")), [format!("{ID}@6")]);
        assert_eq!(found(&format!("a{ID}")), [""; 0]);
        assert_eq!(found(&format!("{ID}0")), [""; 0]);
        assert_eq!(
            found("job-run-2026x1: own-9f8e7d6c"),
            ["run-2026x1@4", "own-9f8e7d6c@16"]
        );
        assert_eq!(found("run-2026x1-b"), ["run-2026x1-b@0"], "the longer one");
        assert_eq!(found("run 2026x1"), [""; 0]);
        assert_eq!(found("2026x1"), [""; 0]);
    }

    #[test]
    fn values_are_found_after_escapes_and_in_urls() {
        let mut set = ValueSet::default();
        let urn = format!("urn:uuid:{ID}");
        for value in [ID, &urn, "run:2026@x1z9q8"] {
            set.insert(&value.into());
        }
        for (text, value) in [
            ("a%2F{}%2Flog", ID),
            ("next=https%3A%2F%2Fapp%252F{}", ID),
            ("\"line\\n{}\\tend\"", ID),
            ("\\u0022{}\\u0022", ID),
            ("/jobs/urn%3Auuid%3A{}", &*urn),
            ("/jobs/urn%3auuid%3a{}", &*urn),
        ] {
            let found = set.find(text.replace("{}", ID).as_bytes());
            let found: Vec<_> = found.iter().map(|it| &*it.value).collect();
            assert_eq!(found, [value], "{text}");
        }
        for text in ["x2F{}", "%2g{}", "\\x{}", "%2{}", "%2F0{}"] {
            let found = set.find(text.replace("{}", ID).as_bytes());
            assert!(found.is_empty(), "{text}: {found:?}");
        }
        let text = "to=run%3A2026%40x1z9q8&";
        let found = set.find(text.as_bytes()).remove(0);
        assert_eq!(
            (&*found.value, found.range.clone()),
            ("run:2026@x1z9q8", 3..22)
        );
        let own = spelled_like("run:7@a", text[found.range].as_bytes());
        assert_eq!(own, "run%3A7%40a");
        assert_eq!(set.get("run%3a2026%40x1z9q8"), set.get("run:2026@x1z9q8"));
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
