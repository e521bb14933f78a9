//! Fingerprints of the secrets that a session has forgotten, within a bound in bytes.
//!
//! A fingerprint has 16 bytes and shows nothing of the secret: keyed hashes of the six bytes of its
//! anchor and of the bytes around it. A text is read once: each position that passes a bit filter
//! costs one binary search in each tier.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::anchor;
use crate::encoded_secret::EncodedSecret;
use crate::encodings::Encoding;
use crate::placeholder;
use crate::secret::Secret;

/// The forgotten secrets of one session. The fingerprints are in two generations: if one is full,
/// the one before it is dropped.
#[derive(Clone, Debug)]
pub(super) struct ForgottenSecrets {
    seed: u64,
    current: Generation,
    previous: Generation,
    max_fingerprints: usize,
}

/// What a search did, for the bound of its cost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SearchSteps {
    /// Positions that were looked up in a filter.
    pub(super) positions: usize,
    /// Positions that passed it.
    pub(super) searches: usize,
    /// Hashes of the bytes around a position.
    pub(super) hashes: usize,
}

/// Bytes of a fingerprint with its share of the filter.
const FINGERPRINT_BYTES: usize = size_of::<Fingerprint>() + MAX_FILTER_BITS / 8;

impl ForgottenSecrets {
    /// No fingerprint; those to come take at most `bytes`.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            seed: RandomState::new().hash_one(0),
            current: Generation::default(),
            previous: Generation::default(),
            max_fingerprints: (bytes / 2 / FINGERPRINT_BYTES).max(1),
        }
    }

    /// The bytes that the fingerprints take.
    pub(super) fn bytes(&self) -> usize {
        self.current.bytes() + self.previous.bytes()
    }

    /// The number of secrets that can be found.
    pub(super) fn secrets(&self) -> u64 {
        self.current.secrets + self.previous.secrets
    }

    /// Adds secrets that are forgotten. Returns the number of those that cannot be found any more:
    /// their fingerprints are dropped.
    pub(super) fn add<'a>(&mut self, secrets: impl Iterator<Item = &'a Secret>) -> u64 {
        let (mut lost, mut new, mut count) = (0, Vec::new(), 0);
        for secret in secrets {
            let fingerprints = self.fingerprints(secret);
            if self.current.len() + new.len() + fingerprints.len() > self.max_fingerprints {
                self.current
                    .add(std::mem::take(&mut new), std::mem::take(&mut count));
                let full = std::mem::take(&mut self.current);
                lost += std::mem::replace(&mut self.previous, full).secrets;
            }
            if fingerprints.len() > self.max_fingerprints {
                lost += 1;
                continue;
            }
            new.extend(fingerprints);
            count += 1;
        }
        self.current.add(new, count);
        lost
    }

    /// The place of a forgotten secret in a text.
    pub(super) fn find(&self, text: &[u8], steps: &mut SearchSteps) -> Option<Range<usize>> {
        let last = (text.len() + 1).saturating_sub(anchor::LEN);
        (0..last).find_map(|at| {
            let word = Word::of(text, at, self.seed);
            steps.positions += 1;
            let generations = [&self.current, &self.previous].into_iter();
            let mut may_hold = generations.filter(|generation| generation.may_hold(word));
            may_hold.find_map(|generation| {
                steps.searches += 1;
                generation.find(word, text, at, self.seed, steps)
            })
        })
    }

    fn fingerprints(&self, secret: &Secret) -> Vec<Fingerprint> {
        // No encoding is shorter than the bytes that it encodes.
        let first = &secret.value()[..secret.value().len().min(MAX_LEN as usize)];
        let encodings = EncodedSecret::all(first).into_iter();
        let long = encodings.filter(|encoded| encoded.len >= anchor::LEN);
        let fingerprints = long.map(|encoded| {
            let len = encoded.len.min(MAX_LEN as usize);
            let (window, at) = anchor::window(len);
            let around = encoded.part(window);
            let is_word = encoded.encoding == Encoding::Raw && secret.is_word();
            Fingerprint {
                place: Word::of(&around, at, self.seed).place(len, is_word),
                hash: xxh3_64_with_seed(&around, self.seed),
            }
        });
        fingerprints.collect()
    }
}

/// The keyed hash of the six bytes of an anchor, in the upper 40 bits.
#[derive(Clone, Copy)]
struct Word(u64);

impl Word {
    fn of(text: &[u8], at: usize, seed: u64) -> Self {
        // The multiplication is a bijection of all 64 bits, of which the upper ones depend on all.
        let mixed = (anchor::word(text, at) ^ (seed >> 16)).wrapping_mul(anchor::MULTIPLIER | 1);
        let folded = (mixed ^ (mixed >> 32)).wrapping_mul(seed | 1);
        Self(folded & !PLACE_MASK)
    }

    fn place(self, len: usize, is_word: bool) -> u64 {
        self.0 | if is_word { IS_WORD } else { 0 } | len as u64
    }
}

/// One encoding of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fingerprint {
    /// The hash of the anchor in 40 bits; whether the secret is a word in one bit; and the length
    /// in 23 bits, which determines the offset of the anchor.
    place: u64,
    /// The keyed hash of the bytes around the anchor.
    hash: u64,
}

/// The first bytes of a longer secret count as the secret.
const MAX_LEN: u64 = (1 << 23) - 1;
const IS_WORD: u64 = 1 << 23;
const PLACE_MASK: u64 = (1 << 24) - 1;

/// Fingerprints of secrets that were forgotten at about the same time.
#[derive(Clone, Debug, Default)]
struct Generation {
    /// Sorted, each at least [`GROWTH`] times as long as the next one.
    tiers: Vec<Arc<[Fingerprint]>>,
    /// A set bit for the hash of each anchor. A power of two of words.
    filter: Vec<u64>,
    secrets: u64,
}

const GROWTH: usize = 4;
/// Bits of a filter for each fingerprint.
const MIN_FILTER_BITS: usize = 16;
/// A filter has a power of two of bits.
const MAX_FILTER_BITS: usize = 2 * MIN_FILTER_BITS;

impl Generation {
    fn len(&self) -> usize {
        self.tiers.iter().map(|tier| tier.len()).sum()
    }

    fn bytes(&self) -> usize {
        self.len() * size_of::<Fingerprint>() + self.filter.len() * size_of::<u64>()
    }

    fn add(&mut self, mut new: Vec<Fingerprint>, secrets: u64) {
        self.secrets += secrets;
        if new.is_empty() {
            return;
        }
        while let Some(last) = self.tiers.pop_if(|last| last.len() < GROWTH * new.len()) {
            new.extend_from_slice(&last);
        }
        new.sort_unstable();
        new.dedup();
        self.tiers.push(new.into());
        let bits = (self.len() * MIN_FILTER_BITS).next_power_of_two().max(64);
        if self.filter.len() * 64 < bits {
            self.filter = vec![0; bits / 64];
            (0..self.tiers.len()).for_each(|tier| self.set_bits(tier));
        } else {
            self.set_bits(self.tiers.len() - 1);
        }
    }

    fn set_bits(&mut self, tier: usize) {
        for at in 0..self.tiers[tier].len() {
            let bit = self.bit(Word(self.tiers[tier][at].place));
            self.filter[bit / 64] |= 1 << (bit % 64);
        }
    }

    fn bit(&self, word: Word) -> usize {
        let bits = (self.filter.len() * 64) as u64;
        ((word.0 >> 24) & (bits - 1)) as usize
    }

    fn may_hold(&self, word: Word) -> bool {
        if self.filter.is_empty() {
            return false;
        }
        let bit = self.bit(word);
        self.filter[bit / 64] >> (bit % 64) & 1 == 1
    }

    fn find(
        &self,
        word: Word,
        text: &[u8],
        at: usize,
        seed: u64,
        steps: &mut SearchSteps,
    ) -> Option<Range<usize>> {
        let mut tiers = self.tiers.iter();
        tiers.find_map(|tier| find_in(tier, word, text, at, seed, steps))
    }
}

/// Compares the text around a position with the fingerprints of an anchor. Each distinct length
/// costs one hash, however many secrets have it.
fn find_in(
    tier: &[Fingerprint],
    word: Word,
    text: &[u8],
    at: usize,
    seed: u64,
    steps: &mut SearchSteps,
) -> Option<Range<usize>> {
    let mut rest = &tier[tier.partition_point(|own| own.place < word.0)..];
    while let Some(place) = rest.first().map(|first| first.place)
        && place & !PLACE_MASK == word.0
    {
        let same = rest.partition_point(|own| own.place == place);
        let (len, is_word) = ((place & MAX_LEN) as usize, place & IS_WORD != 0);
        steps.hashes += 1;
        if let Some(hash) = hash_around(text, at, len, seed)
            && rest[..same]
                .binary_search_by_key(&hash, |own| own.hash)
                .is_ok()
            && let Some(range) = anchor::range(text, at, len)
            && (!is_word || anchor::is_whole_word(text, &range))
            && !placeholder::covers(text, &range)
        {
            return Some(range);
        }
        rest = &rest[same..];
    }
    None
}

fn hash_around(text: &[u8], at: usize, len: usize, seed: u64) -> Option<u64> {
    let around = anchor::surroundings(text, at, len)?;
    Some(xxh3_64_with_seed(around, seed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SecretBounds, Secrets};

    const FEW: SecretBounds = SecretBounds {
        count: 8,
        bytes: 64 << 10,
        fingerprint_bytes: 1 << 20,
    };

    fn value(number: usize) -> String {
        format!(
            "t0k-{:016x}-end",
            (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        )
    }

    /// A session that has forgotten all of these secrets but the last ones.
    fn session(count: usize, bounds: SecretBounds) -> Secrets {
        let secrets = Secrets::with_bounds(bounds);
        (0..count).for_each(|number| secrets.register("token", value(number).as_bytes()));
        secrets
    }

    fn is_found(secrets: &Secrets, text: &[u8]) -> bool {
        let forgotten = secrets.forgotten().unwrap();
        forgotten.find(text, &mut SearchSteps::default()).is_some()
    }

    #[test]
    fn every_encoding_of_a_forgotten_secret_is_found() {
        let long: String = (0..500)
            .map(|n| char::from(b'!' + (n * 7 % 90) as u8))
            .collect();
        for secret in ["hunter2", "first/value of \"a\" token", &long] {
            let secrets = Secrets::with_bounds(FEW);
            secrets.register("token", secret.as_bytes());
            (0..20).for_each(|number| secrets.register("token", value(number).as_bytes()));
            assert!(secrets.searcher().find_any(secret.as_bytes()).is_none());
            for encoded in EncodedSecret::all(secret.as_bytes()) {
                let (encoding, bytes) = (encoded.encoding, encoded.part(0..encoded.len));
                let text = [b"((", bytes.as_slice(), b"))"].concat();
                assert!(is_found(&secrets, &text), "{encoding:?} {secret}");
                assert!(is_found(&secrets, &bytes), "{encoding:?} {secret}");
                // Of a long one only the bytes around the anchor are compared.
                let is_cut_found = is_found(&secrets, &text[..text.len() - 3]);
                assert!(secret.len() > 100 || !is_cut_found, "{encoding:?} {secret}");
            }
        }
    }

    #[test]
    fn words_are_found_between_word_boundaries_and_outside_of_placeholders() {
        let secrets = Secrets::with_bounds(FEW);
        secrets.register("token", b"hunter2");
        (0..20).for_each(|number| secrets.register("token", value(number).as_bytes()));
        for (text, expected) in [
            ("a hunter2.", true),
            ("a xhunter2 hunter2x", false),
            ("<hunter2-1>", false),
            ("hunter", false),
            ("", false),
        ] {
            assert_eq!(is_found(&secrets, text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn the_oldest_fingerprints_are_dropped_within_the_bound() {
        let bounds = SecretBounds {
            fingerprint_bytes: 64 << 10,
            ..FEW
        };
        let secrets = Secrets::with_bounds(bounds);
        let mut lost = 0;
        for number in 0..2000 {
            secrets.register("token", value(number).as_bytes());
            lost += secrets.take_forgotten();
            if let Some(forgotten) = secrets.forgotten() {
                assert!(forgotten.bytes() <= bounds.fingerprint_bytes);
            }
        }
        assert!(lost > 1000, "{lost}");
        let lost = usize::try_from(lost).unwrap();
        let forgotten = 2000 - secrets.len();
        // Those that are not counted as lost are found.
        assert!((lost..forgotten).all(|number| is_found(&secrets, value(number).as_bytes())));
        assert!(!is_found(&secrets, value(0).as_bytes()));
    }

    #[test]
    fn the_cost_of_a_search_is_linear_in_the_text() {
        assert!(
            session(8, FEW).forgotten().is_none(),
            "nothing is forgotten"
        );
        let bounds = SecretBounds {
            count: 1000,
            bytes: 1 << 20,
            fingerprint_bytes: 16 << 20,
        };
        let secrets = session(20_000, bounds);
        assert_eq!(secrets.take_forgotten(), 0);
        let forgotten = secrets.forgotten().unwrap();
        let text: String = (0..40_000)
            .map(|n| format!("{{\"line\": {}}}\n", n * 7919))
            .collect();
        let mut steps = SearchSteps::default();
        assert!(forgotten.find(text.as_bytes(), &mut steps).is_none());
        println!(
            "{} bytes, {} of fingerprints: {steps:?}",
            text.len(),
            forgotten.bytes()
        );
        assert!(steps.positions <= text.len());
        assert!(steps.searches < text.len() / 8, "{steps:?}");
        // A part of each line may have the place of a fingerprint by chance.
        assert!(steps.hashes < text.len() / 8, "{steps:?}");
        // A text of the part that all these secrets share costs one hash for each of them.
        let shared = "0-end ".repeat(10_000);
        let mut steps = SearchSteps::default();
        assert!(forgotten.find(shared.as_bytes(), &mut steps).is_none());
        assert!(steps.hashes <= 16 * shared.len(), "{steps:?}");
    }
}
