//! Some secrets in all their encodings, sorted so that a text is searched for all of them at once.

use std::sync::Arc;

use crate::anchor;
use crate::secret::Secret;
use crate::secret_anchor::{Anchor, Hit, equal_run, fingerprint};
use crate::text_hash::PrefixHashes;

/// What a searcher holds of forgotten secrets, or no longer holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) anchors: usize,
    /// Bytes of the secrets themselves.
    pub(super) secret_bytes: usize,
}

impl Dropped {
    /// All anchors of a secret.
    pub(super) fn add_secret(&mut self, secret: &Secret) {
        let anchors = secret.anchors();
        if anchors > 0 {
            self.anchors += anchors;
            self.secret_bytes += secret_bytes(secret);
        }
    }

    fn add_anchor(&mut self, anchor: &Anchor) {
        self.anchors += 1;
        if anchor.is_raw() {
            self.secret_bytes += secret_bytes(&anchor.secret);
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.anchors += other.anchors;
        self.secret_bytes += other.secret_bytes;
    }

    pub(super) fn subtract(&mut self, other: Self) {
        self.anchors = self.anchors.saturating_sub(other.anchors);
        self.secret_bytes = self.secret_bytes.saturating_sub(other.secret_bytes);
    }
}

fn secret_bytes(secret: &Secret) -> usize {
    size_of::<Secret>() + secret.value().len()
}

/// Some secrets in all their encodings.
pub(super) struct Tier {
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
    pub(super) fn new(mut anchors: Vec<Anchor>) -> Self {
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

    /// The number of its anchors.
    pub(super) fn len(&self) -> usize {
        self.anchors.len()
    }

    /// Adds its anchors to others, without those of secrets that were forgotten by then.
    pub(super) fn add_known_to(&self, anchors: &mut Vec<Anchor>, evictions: u64) -> Dropped {
        let mut dropped = Dropped::default();
        for anchor in &self.anchors {
            if anchor.secret.is_forgotten_by(evictions) {
                dropped.add_anchor(anchor);
            } else {
                anchors.push(anchor.clone());
            }
        }
        dropped
    }

    /// One tier of these without the secrets that were forgotten by then; none if none is left.
    pub(super) fn merge(tiers: &[Arc<Self>], evictions: u64) -> (Option<Arc<Self>>, Dropped) {
        let (mut anchors, mut dropped) = (Vec::new(), Dropped::default());
        for tier in tiers {
            dropped.add(tier.add_known_to(&mut anchors, evictions));
        }
        let merged = (!anchors.is_empty()).then(|| Arc::new(Self::new(anchors)));
        (merged, dropped)
    }

    pub(super) fn bytes(&self) -> usize {
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
    pub(super) fn longest_in(&self, len: usize) -> usize {
        let fitting = self.lens.partition_point(|own| *own <= len);
        self.lens[..fitting].last().copied().unwrap_or(0)
    }

    /// Adds the hits whose anchors begin before `end`. `next` is the next position to look at.
    pub(super) fn scan(
        &self,
        text: &[u8],
        hashes: &PrefixHashes<'_>,
        next: &mut Option<(usize, u64)>,
        end: usize,
        (hits, evictions): (&mut Vec<Hit>, u64),
    ) {
        let mut unsorted_limit = MIN_UNSORTED.max(2 * hits.len());
        while let Some((at, word)) = next.filter(|(at, _)| *at < end) {
            for hit in self.hits((text, hashes), at, word, evictions) {
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
    pub(super) fn next(&self, text: &[u8], at: usize) -> Option<(usize, u64)> {
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

    /// The secrets whose anchor has this word at a position, but those that were forgotten by then.
    pub(super) fn hits(
        &self,
        (text, hashes): (&[u8], &PrefixHashes<'_>),
        at: usize,
        word: u64,
        evictions: u64,
    ) -> impl Iterator<Item = Hit> {
        self.candidates(text, hashes, at, word)
            .filter(move |anchor| !anchor.secret.is_forgotten_by(evictions))
            .filter_map(move |anchor| anchor.hit(text, at))
    }

    /// The anchors with this word whose secrets the text has there. Each distinct length costs two
    /// look-ups, however many secrets have it and however long they are.
    pub(super) fn candidates(
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

/// Sorts hits by their starts. A shorter hit at the same start is never chosen.
pub(super) fn longest_of_each_start(hits: &mut Vec<Hit>) {
    hits.sort_by_key(|hit| (hit.range.start, usize::MAX - hit.range.end));
    hits.dedup_by_key(|hit| hit.range.start);
}

/// So many hits are collected before shorter ones are dropped: a text of repeated bytes may contain
/// many secrets at each position.
const MIN_UNSORTED: usize = 1024;
