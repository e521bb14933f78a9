//! Multi-pattern search for all secrets of a session in every encoding.
//!
//! The anchor of an encoded secret is six bytes near its end, where tokens differ most. Each text
//! position that passes a small bit filter is looked up among the anchors. If a hash of the bytes
//! around the anchor is equal too, the hash of the whole encoded secret decides, which costs the
//! same for a secret of any length. Anchors are kept in tiers of growing size, so that adding a
//! secret is cheap.

use std::fmt;
use std::sync::Arc;

use crate::anchor;
use crate::secret_anchor::{Anchor, Hit, equal_run, fingerprint};
use crate::text_hash::PrefixHashes;

/// Searches for the secrets that were known when it was created. Cheap to clone.
#[derive(Clone, Default)]
pub struct SecretSearcher {
    tiers: Arc<[Arc<Tier>]>,
}

impl SecretSearcher {
    /// True if there is no secret to search for.
    pub fn is_empty(&self) -> bool {
        self.tiers.is_empty()
    }

    /// The bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.tiers.iter().map(|tier| tier.bytes()).sum()
    }

    /// The secrets in a text without overlaps: the one that begins first, then the longer one.
    pub fn find(&self, text: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        self.find_each(text, |hit| hits.push(hit));
        hits
    }

    /// Calls `take` with each secret in a text, as [`Self::find`] lists them. Only those of a part
    /// of the text are held in memory.
    pub(super) fn find_each(&self, text: &[u8], mut take: impl FnMut(Hit)) {
        let hashes = PrefixHashes::new(text);
        let tiers = self.tiers.iter();
        let mut tiers: Vec<_> = tiers.map(|tier| (tier, tier.next(text, 0))).collect();
        let longest = self.tiers.iter().map(|tier| tier.longest_in(text.len()));
        let longest = longest.max().unwrap_or(0);
        let (mut hits, mut free_from, mut scanned_to) = (Vec::new(), 0, 0);
        while scanned_to < text.len() {
            scanned_to = (scanned_to + BLOCK).min(text.len());
            for (tier, next) in &mut tiers {
                tier.scan(text, &hashes, next, scanned_to, &mut hits);
            }
            longest_of_each_start(&mut hits);
            // Of those that begin later, some may end beyond the block.
            let known = match scanned_to == text.len() {
                true => hits.len(),
                false => hits.partition_point(|hit| hit.range.start + longest < scanned_to),
            };
            for hit in hits.drain(..known) {
                if hit.range.start >= free_from {
                    free_from = hit.range.end;
                    take(hit);
                }
            }
        }
    }

    /// Some secret in a text, if there is one.
    pub fn find_any(&self, text: &[u8]) -> Option<Hit> {
        let hashes = PrefixHashes::new(text);
        self.tiers.iter().find_map(|tier| {
            let mut at = 0;
            while let Some((found, word)) = tier.next(text, at) {
                if let Some(hit) = tier.hits(text, &hashes, found, word).next() {
                    return Some(hit);
                }
                at = found + 1;
            }
            None
        })
    }

    /// A searcher for these secrets and the current ones.
    pub(super) fn with_anchors(&self, mut anchors: Vec<Anchor>) -> Self {
        let mut tiers = self.tiers.to_vec();
        while let Some(last) = tiers.pop_if(|last| last.anchors.len() < GROWTH * anchors.len()) {
            anchors.extend_from_slice(&last.anchors);
        }
        if !anchors.is_empty() {
            tiers.push(Arc::new(Tier::new(anchors)));
        }
        Self {
            tiers: tiers.into(),
        }
    }

    /// A searcher for the secrets that are not forgotten.
    pub(super) fn without_forgotten(&self) -> Self {
        let is_kept = |anchor: &&Anchor| !anchor.secret.is_forgotten();
        let tiers = self.tiers.iter().filter_map(|tier| {
            let kept: Vec<_> = tier.anchors.iter().filter(is_kept).cloned().collect();
            (!kept.is_empty()).then(|| Arc::new(Tier::new(kept)))
        });
        Self {
            tiers: tiers.collect(),
        }
    }
}

impl fmt::Debug for SecretSearcher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let anchors: usize = self.tiers.iter().map(|tier| tier.anchors.len()).sum();
        out.debug_struct("SecretSearcher")
            .field("anchors", &anchors)
            .finish_non_exhaustive()
    }
}

/// Sorts hits by their starts. A shorter hit at the same start is never chosen.
fn longest_of_each_start(hits: &mut Vec<Hit>) {
    hits.sort_by_key(|hit| (hit.range.start, usize::MAX - hit.range.end));
    hits.dedup_by_key(|hit| hit.range.start);
}

/// Bytes of a text that are searched at a time.
const BLOCK: usize = 64 << 10;

/// So many hits are collected before shorter ones are dropped: a text of repeated bytes may contain
/// many secrets at each position.
const MIN_UNSORTED: usize = 1024;

/// Each tier has at least this many times the anchors of the next one.
const GROWTH: usize = 4;

/// Some secrets in all their encodings.
struct Tier {
    /// Sorted by word, length, fingerprint and hash.
    anchors: Vec<Anchor>,
    /// The words of the anchors in the same order: most look-ups end here.
    words: Vec<u64>,
    /// The distinct lengths of the encoded secrets, sorted.
    lens: Vec<usize>,
    /// A set bit for the hash of each word.
    filter: Vec<u64>,
    /// Shift that reduces a 64-bit product to the index of a bit.
    shift: u32,
}

impl Tier {
    fn new(mut anchors: Vec<Anchor>) -> Self {
        anchors.sort_by_key(|anchor| (anchor.word, anchor.len, anchor.fingerprint, anchor.whole));
        let bits = (anchors.len() * BITS_PER_ANCHOR)
            .next_power_of_two()
            .max(MIN_BITS);
        let mut lens: Vec<_> = anchors.iter().map(|anchor| anchor.len).collect();
        lens.sort_unstable();
        lens.dedup();
        lens.shrink_to_fit();
        let mut tier = Self {
            lens,
            filter: vec![0; bits / 64],
            shift: u64::BITS - bits.ilog2(),
            words: anchors.iter().map(|anchor| anchor.word).collect(),
            anchors,
        };
        for at in 0..tier.words.len() {
            let bit = tier.bit(tier.words[at]);
            tier.filter[bit / 64] |= 1 << (bit % 64);
        }
        tier
    }

    fn bytes(&self) -> usize {
        self.anchors.len() * size_of::<Anchor>()
            + (self.words.len() + self.lens.len() + self.filter.len()) * size_of::<u64>()
    }

    fn bit(&self, word: u64) -> usize {
        (word.wrapping_mul(anchor::MULTIPLIER) >> self.shift) as usize
    }

    fn may_hold(&self, word: u64) -> bool {
        let bit = self.bit(word);
        self.filter[bit / 64] >> (bit % 64) & 1 == 1
    }

    /// The length of the longest encoded secret that fits into so many bytes.
    fn longest_in(&self, len: usize) -> usize {
        let fitting = self.lens.partition_point(|own| *own <= len);
        self.lens[..fitting].last().copied().unwrap_or(0)
    }

    /// Adds the hits whose anchors begin before `end`. `next` is the next position to look at.
    fn scan(
        &self,
        text: &[u8],
        hashes: &PrefixHashes<'_>,
        next: &mut Option<(usize, u64)>,
        end: usize,
        hits: &mut Vec<Hit>,
    ) {
        let mut unsorted_limit = MIN_UNSORTED.max(2 * hits.len());
        while let Some((at, word)) = next.filter(|(at, _)| *at < end) {
            for hit in self.hits(text, hashes, at, word) {
                hits.push(hit);
                if hits.len() == unsorted_limit {
                    longest_of_each_start(hits);
                    unsorted_limit = MIN_UNSORTED.max(2 * hits.len());
                }
            }
            *next = self.next(text, at + 1);
        }
    }

    /// The next position from `at` on whose word may be an anchor.
    fn next(&self, text: &[u8], at: usize) -> Option<(usize, u64)> {
        let eights = text.get(at..)?.array_windows().enumerate();
        let words =
            eights.map(|(offset, eight)| (at + offset, u64::from_le_bytes(*eight) & anchor::MASK));
        let mut words = words.filter(|(_, word)| self.may_hold(*word));
        // At the last positions fewer than eight bytes are left.
        let rest = at.max((text.len() + 1).saturating_sub(8));
        words.next().or_else(|| {
            let last = rest..(text.len() + 1).saturating_sub(anchor::LEN);
            last.map(|at| (at, anchor::word(text, at)))
                .find(|(_, word)| self.may_hold(*word))
        })
    }

    fn hits(
        &self,
        text: &[u8],
        hashes: &PrefixHashes<'_>,
        at: usize,
        word: u64,
    ) -> impl Iterator<Item = Hit> {
        self.candidates(text, hashes, at, word)
            .filter_map(move |anchor| anchor.hit(text, at))
    }

    /// The anchors with this word whose secrets the text has there. Each distinct length costs two
    /// look-ups, however many secrets have it and however long they are.
    fn candidates(
        &self,
        text: &[u8],
        hashes: &PrefixHashes<'_>,
        at: usize,
        word: u64,
    ) -> impl Iterator<Item = &Anchor> {
        let from = self.words.partition_point(|own| *own < word);
        let mut rest = &self.anchors[from..];
        let by_len = std::iter::from_fn(move || {
            let len = rest.first().filter(|first| first.word == word)?.len;
            let end = rest.partition_point(|anchor| (anchor.word, anchor.len) <= (word, len));
            let (same_len, others) = rest.split_at(end);
            rest = others;
            Some((len, same_len))
        });
        by_len.flat_map(move |(len, anchors)| {
            let same_surroundings = match fingerprint(text, at, len) {
                Some(wanted) => equal_run(anchors, |anchor| anchor.fingerprint.cmp(&wanted)),
                None => &[],
            };
            let first = same_surroundings.first();
            match first.zip(anchor::range(text, at, len)) {
                Some((first, range)) => {
                    let whole = hashes.of(&range, first.whole);
                    equal_run(same_surroundings, |anchor| anchor.whole.cmp(&whole))
                }
                None => &[],
            }
        })
    }
}

const BITS_PER_ANCHOR: usize = 16;
const MIN_BITS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::PrefixHashes;
    use crate::Secrets;
    use crate::encoded_secret::EncodedSecret;

    fn found(secrets: &Secrets, text: &str) -> Vec<String> {
        let hits = secrets.searcher().find(text.as_bytes());
        hits.into_iter()
            .map(|hit| text[hit.range].to_owned())
            .collect()
    }

    #[test]
    fn finds_the_first_and_longest_secret() {
        let secrets = Secrets::default();
        for secret in ["secret-one", "secret-one-and-more", "one-and-more-of-it"] {
            secrets.register("token", secret.as_bytes());
        }
        assert_eq!(
            found(&secrets, "secret-one-and-more-of-it"),
            ["secret-one-and-more"]
        );
        assert_eq!(found(&secrets, "xsecret-one"), ["secret-one"]);
        assert_eq!(found(&secrets, "secret-on"), Vec::<String>::new());
    }

    #[test]
    fn short_words_are_found_between_word_boundaries() {
        let secrets = Secrets::default();
        secrets.register("pin", b"hunter2");
        secrets.register("pin", b"0123456789abcdef");
        assert_eq!(
            found(&secrets, "hunter2 xhunter2 hunter2x (hunter2)"),
            ["hunter2", "hunter2"]
        );
        assert_eq!(found(&secrets, "x0123456789abcdefx"), ["0123456789abcdef"]);
        assert_eq!(found(&secrets, "<hunter2-1> hunter2"), ["hunter2"]);
    }

    #[test]
    fn finds_all_of_many_secrets() {
        let secrets = Secrets::default();
        let all: Vec<String> = (0..3000)
            .map(|n: u64| format!("tok{:x}", n * 7_919_773_331))
            .collect();
        let all: Vec<&String> = all.iter().filter(|secret| secret.len() > 9).collect();
        for (at, secret) in all.iter().enumerate() {
            secrets.register("token", secret.as_bytes());
            if at % 10 == 0 {
                assert_eq!(found(&secrets, &format!("a {secret} b")), [secret.as_str()]);
            }
        }
        let text: Vec<&str> = all.iter().map(|secret| secret.as_str()).collect();
        assert_eq!(found(&secrets, &text.join(" ")), text);
        assert!(secrets.searcher().tiers.len() < 9);
    }

    #[test]
    fn secrets_with_equal_anchors_are_not_compared_one_by_one() {
        let secrets = Secrets::default();
        let value = |n: usize| format!("{n:016x}-of-the-shared-production-suffix");
        (0..2000).for_each(|n| secrets.register("token", value(n).as_bytes()));
        let searcher = secrets.searcher();
        for (text, expected) in [(value(1999), 1), (value(2000), 0)] {
            assert_eq!(searcher.find(text.as_bytes()).len(), expected);
            let hashes = PrefixHashes::new(text.as_bytes());
            let candidates = searcher.tiers.iter().map(|tier| {
                let (mut at, mut count) = (0, 0);
                while let Some((found, word)) = tier.next(text.as_bytes(), at) {
                    count += tier
                        .candidates(text.as_bytes(), &hashes, found, word)
                        .count();
                    at = found + 1;
                }
                count
            });
            assert_eq!(candidates.sum::<usize>(), expected, "{text}");
        }
    }

    #[test]
    fn secrets_with_equal_surroundings_are_not_compared_one_by_one() {
        let secrets = Secrets::default();
        let value = |n: usize| format!("{n:016x}{}", "abc".repeat(400));
        (0..500).for_each(|n| secrets.register("token", value(n).as_bytes()));
        let searcher = secrets.searcher();
        assert_eq!(searcher.find(value(499).as_bytes()).len(), 1);
        let text = value(500);
        let hashes = PrefixHashes::new(text.as_bytes());
        let mut candidates = searcher.tiers.iter().flat_map(|tier| {
            let at = (0..text.len()).filter_map(|at| tier.next(text.as_bytes(), at));
            at.flat_map(|(at, word)| tier.candidates(text.as_bytes(), &hashes, at, word))
        });
        assert!(candidates.next().is_none());
    }

    #[test]
    fn the_longest_of_many_secrets_at_one_start_is_found() {
        let secrets = Secrets::default();
        let value = |n: usize| format!("-{}-", "abc".repeat(n));
        (2..900).for_each(|n| secrets.register("token", value(n).as_bytes()));
        let text = format!("{}{}", value(899), "abc".repeat(900));
        assert_eq!(found(&secrets, &text), [value(899)]);
    }

    #[test]
    fn finds_every_encoding_of_a_long_secret() {
        let secrets = Secrets::default();
        let long: String = (0..500)
            .map(|n| char::from(b'!' + (n * 7 % 90) as u8))
            .collect();
        secrets.register("key", long.as_bytes());
        for encoded in EncodedSecret::all(long.as_bytes()) {
            let (encoding, bytes) = (encoded.encoding, encoded.part(0..encoded.len));
            let text = [b"<<", bytes.as_slice(), b">>"].concat();
            let hit = secrets.searcher().find_any(&text).unwrap();
            assert_eq!(hit.range, 2..2 + bytes.len(), "{encoding:?}");
        }
    }
}
