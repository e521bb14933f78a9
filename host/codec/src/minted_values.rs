//! The values that the clients of one session made up, within a bound: those that were seen least
//! recently are forgotten.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::minted::{MIN_LEN, Occurrence, ValueSet, anchor_hashes};
use crate::words::for_each_word;

/// The values of one session. Who searches waits for nobody unless a run may be an anchor.
#[derive(Debug)]
pub struct MintedValues {
    limit: usize,
    filter: OnceLock<Box<Filter>>,
    set: RwLock<ValueSet<LastUse>>,
    /// The number of values in the set.
    count: AtomicUsize,
    /// The bytes of their texts.
    text_bytes: AtomicUsize,
    /// The number of values that were ever added.
    added: AtomicU64,
}

/// When a value was seen, in the time of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// In a recorded request. These values are forgotten last: responses repeat them.
    pub is_recorded: bool,
    /// The time.
    pub at: u64,
}

#[derive(Debug)]
struct LastUse {
    is_recorded: AtomicBool,
    at: AtomicU64,
}

/// A set bit for the hash of each anchor.
type Filter = [AtomicU64; FILTER_WORDS];

const FILTER_WORDS: usize = 512;

/// The memory of a value beside its text: its entries in the maps of a set.
const VALUE_BYTES: usize = 208;

/// The share of the limit that is freed at once, so that forgetting costs little per value.
const FREED_SHARE: usize = 8;

impl MintedValues {
    /// No values; there may be so many.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            limit,
            filter: OnceLock::new(),
            set: RwLock::default(),
            count: AtomicUsize::new(0),
            text_bytes: AtomicUsize::new(0),
            added: AtomicU64::new(0),
        }
    }

    /// Adds values, or sees them again. At the limit those that were seen least recently are
    /// forgotten; one of a live request counts in its own place alone if all others are recorded.
    pub fn extend<'a>(&self, values: impl IntoIterator<Item = &'a Arc<str>>, seen: Seen) {
        for value in values {
            self.insert(value, seen);
        }
    }

    fn insert(&self, value: &Arc<str>, seen: Seen) -> bool {
        if let Some((_, last)) = self.read().get(value) {
            last.see(seen);
            return true;
        }
        let mut set = self.write();
        if set.len() >= self.limit {
            self.forget_oldest(&mut set, seen.is_recorded);
        }
        if set.len() >= self.limit || !set.insert_with(value, LastUse::new(seen)) {
            return false;
        }
        let filter = self
            .filter
            .get_or_init(|| Box::new([const { AtomicU64::new(0) }; FILTER_WORDS]));
        for hash in anchor_hashes(value) {
            let (word, bit) = place(hash);
            filter[word].fetch_or(bit, Ordering::Release);
        }
        self.text_bytes.fetch_add(value.len(), Ordering::Relaxed);
        self.added.fetch_add(1, Ordering::Relaxed);
        self.count.store(set.len(), Ordering::Release);
        true
    }

    /// Makes room: among the values of live requests, or among all.
    fn forget_oldest(&self, set: &mut ValueSet<LastUse>, also_recorded: bool) {
        let mut newest_first: Vec<_> = set
            .iter()
            .map(|(_, last)| Reverse(last.seen()))
            .filter(|Reverse(seen)| also_recorded || !seen.is_recorded)
            .collect();
        if newest_first.is_empty() {
            return;
        }
        newest_first.sort_unstable();
        let freed = self.limit.div_ceil(FREED_SHARE).min(newest_first.len());
        let Reverse(last) = newest_first[newest_first.len() - freed];
        self.retain_in(set, |_, seen| seen > last);
    }

    /// Forgets values that were seen last at this time or before it.
    pub fn forget_until(&self, last: Seen) {
        self.retain(|_, seen| seen > last);
    }

    /// Forgets all values but these.
    pub fn retain(&self, keep: impl FnMut(&str, Seen) -> bool) {
        self.retain_in(&mut self.write(), keep);
    }

    fn retain_in(&self, set: &mut ValueSet<LastUse>, mut keep: impl FnMut(&str, Seen) -> bool) {
        let before = set.len();
        set.retain(|value, last| {
            let is_kept = keep(value, last.seen());
            if !is_kept {
                self.text_bytes.fetch_sub(value.len(), Ordering::Relaxed);
            }
            is_kept
        });
        if set.len() == before {
            return;
        }
        self.count.store(set.len(), Ordering::Release);
        let Some(filter) = self.filter.get() else {
            return;
        };
        let mut words = [0; FILTER_WORDS];
        for hash in set.anchors() {
            let (word, bit) = place(hash);
            words[word] |= bit;
        }
        // The bits of the values that stay are set all the time.
        for (own, word) in filter.iter().zip(words) {
            own.store(word, Ordering::Release);
        }
    }

    /// When each value was seen last, and the memory that is free without it.
    pub fn uses(&self) -> Vec<(Seen, usize)> {
        let set = self.read();
        let uses = set.iter();
        uses.map(|(value, last)| (last.seen(), VALUE_BYTES + value.len()))
            .collect()
    }

    /// An estimate of the memory of the values, with what they are searched by.
    pub fn bytes(&self) -> usize {
        let filter = self.filter.get().map_or(0, |filter| size_of_val(&**filter));
        filter + self.len() * VALUE_BYTES + self.text_bytes.load(Ordering::Relaxed)
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// The number of values that were ever added.
    pub fn added(&self) -> u64 {
        self.added.load(Ordering::Relaxed)
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The known value that is equal to a text.
    pub fn get(&self, text: &str) -> Option<Arc<str>> {
        if self.is_empty() {
            return None;
        }
        let set = self.read();
        set.get(text).map(|(value, _)| Arc::clone(value))
    }

    fn add_around(&self, text: &[u8], word: (usize, u64), found: &mut Vec<Occurrence>) {
        let (at, bit) = place(word.1);
        let filter = self.filter.get().map(|filter| &filter[at]);
        if filter.is_some_and(|bits| bits.load(Ordering::Acquire) & bit != 0) {
            self.read().add_around(text, word, found);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, ValueSet<LastUse>> {
        self.set.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, ValueSet<LastUse>> {
        self.set.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LastUse {
    fn new(seen: Seen) -> Self {
        Self {
            is_recorded: AtomicBool::new(seen.is_recorded),
            at: AtomicU64::new(seen.at),
        }
    }

    /// The value is seen again. One that was recorded stays so.
    fn see(&self, seen: Seen) {
        self.is_recorded
            .fetch_or(seen.is_recorded, Ordering::Relaxed);
        self.at.fetch_max(seen.at, Ordering::Relaxed);
    }

    fn seen(&self) -> Seen {
        Seen {
            is_recorded: self.is_recorded.load(Ordering::Relaxed),
            at: self.at.load(Ordering::Relaxed),
        }
    }
}

/// The values in a text, in order and without overlaps: those of a session, and further ones. Of
/// two that overlap, the one that begins first, then the longer one.
pub fn find(text: &[u8], known: Option<&MintedValues>, own: &ValueSet) -> Vec<Occurrence> {
    let mut found = Vec::new();
    for_each_value(text, known, own, |value| found.push(value));
    found.sort_by_key(|it| (it.range.start, usize::MAX - it.range.end));
    let mut free_from = 0;
    found.retain(|it| {
        let is_free = it.range.start >= free_from;
        free_from = if is_free { it.range.end } else { free_from };
        is_free
    });
    found
}

/// Calls `take` with the same values, also those that overlap, in the order of their anchors. They
/// may be many times the text, so a large text has no list of them.
pub fn for_each_value(
    text: &[u8],
    known: Option<&MintedValues>,
    own: &ValueSet,
    mut take: impl FnMut(Occurrence),
) {
    if text.len() < MIN_LEN || (own.is_empty() && known.is_none_or(MintedValues::is_empty)) {
        return;
    }
    let mut around = Vec::new();
    for_each_word(text, |range, hash| {
        if let Some(known) = known {
            known.add_around(text, (range.start, hash), &mut around);
        }
        if !own.is_empty() {
            own.add_around(text, (range.start, hash), &mut around);
        }
        around.drain(..).for_each(&mut take);
    });
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

    const fn live(at: u64) -> Seen {
        Seen {
            is_recorded: false,
            at,
        }
    }

    const fn recorded(at: u64) -> Seen {
        Seen {
            is_recorded: true,
            at,
        }
    }

    fn id(number: usize) -> Arc<str> {
        format!("run-{number:08x}-x1").into()
    }

    #[test]
    fn values_are_found_as_whole_words() {
        let values = MintedValues::with_limit(3);
        assert!(
            values.is_empty()
                && find(ID.as_bytes(), Some(&values), &ValueSet::default()).is_empty()
        );
        for value in [ID, "run-2026x1", "run-2026x1-b"] {
            assert!(values.insert(&value.into(), recorded(1)));
            assert!(values.insert(&value.into(), live(2)), "it is known");
        }
        assert!(!values.insert(&"one-more-4711a".into(), live(3)));
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
            let found = find(text.replace("{}", ID).as_bytes(), None, &set);
            let found: Vec<_> = found.iter().map(|it| &*it.value).collect();
            assert_eq!(found, [value], "{text}");
        }
        for text in ["x2F{}", "%2g{}", "\\x{}", "%2{}", "%2F0{}"] {
            let found = find(text.replace("{}", ID).as_bytes(), None, &set);
            assert!(found.is_empty(), "{text}: {found:?}");
        }
        let text = "to=run%3A2026%40x1z9q8&";
        let found = find(text.as_bytes(), None, &set).remove(0);
        assert_eq!(
            (&*found.value, found.range.clone()),
            ("run:2026@x1z9q8", 3..22)
        );
        let own = spelled_like("run:7@a", text[found.range].as_bytes());
        assert_eq!(own, "run%3A7%40a");
        assert_eq!(set.get("run%3a2026%40x1z9q8"), set.get("run:2026@x1z9q8"));
    }

    #[test]
    fn the_oldest_values_of_live_requests_are_forgotten_first() {
        let values = MintedValues::with_limit(16);
        let is_known = |number: usize| {
            let text = format!("/jobs/{}", id(number));
            let found = find(text.as_bytes(), Some(&values), &ValueSet::default());
            assert_eq!(found.len() == 1, values.get(&id(number)).is_some());
            !found.is_empty()
        };
        for number in 0..8 {
            values.extend([&id(number)], recorded(number as u64));
        }
        for number in 8..1_000 {
            values.extend([&id(number)], live(number as u64));
            values.extend([&id(8)], live(number as u64));
            assert!(values.len() <= 16 && is_known(number) && is_known(8));
        }
        assert!((0..8).all(is_known) && !(9..980).any(is_known));
        values.retain(|value, _| value == &*id(3));
        assert_eq!((0..1_000).filter(|it| is_known(*it)).count(), 1);
        values.forget_until(recorded(3));
        assert!(values.is_empty() && values.bytes() <= FILTER_WORDS * 8);
    }
}
