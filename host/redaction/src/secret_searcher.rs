//! Multi-pattern search for all secrets of a session in every encoding.
//!
//! The anchor of an encoded secret is six bytes near its end, where tokens differ most. Each text
//! position that passes a small bit filter is looked up among the anchors. If a hash of the bytes
//! around the anchor is equal too, the hash of the whole encoded secret decides, which costs the
//! same for a secret of any length. Anchors are kept in tiers of growing size, so that adding a
//! secret is cheap.

use std::fmt;
use std::sync::Arc;

use crate::searcher_tier::{Dropped, Tier, longest_of_each_start};
use crate::secret_anchor::{Anchor, Hit};
use crate::text_hash::PrefixHashes;

/// Searches for the secrets that were known when it was created. Cheap to clone.
#[derive(Clone, Default)]
pub struct SecretSearcher {
    tiers: Arc<[Arc<Tier>]>,
    /// Secrets that were forgotten by this eviction are ignored.
    evictions: u64,
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
                let hits = (&mut hits, self.evictions);
                tier.scan(text, &hashes, next, scanned_to, hits);
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
                if let Some(hit) = tier
                    .hits((text, &hashes), found, word, self.evictions)
                    .next()
                {
                    return Some(hit);
                }
                at = found + 1;
            }
            None
        })
    }

    /// The same without the secrets that were forgotten by then.
    pub(super) fn without_forgotten_by(mut self, evictions: u64) -> Self {
        self.evictions = evictions;
        self
    }

    /// The number of its anchors.
    pub(super) fn anchors(&self) -> usize {
        self.tiers.iter().map(|tier| tier.len()).sum()
    }

    pub(super) fn tiers(&self) -> &[Arc<Tier>] {
        &self.tiers
    }

    /// A searcher for these secrets and the current ones, and what it lacks of forgotten ones. Only
    /// small tiers are merged, so that it takes little time.
    pub(super) fn with_anchors(&self, mut anchors: Vec<Anchor>) -> (Self, Dropped) {
        let mut dropped = Dropped::default();
        let mut tiers = self.tiers.to_vec();
        let is_merged = |last: &Arc<Tier>, len| last.len() < LARGE.min(GROWTH * len);
        while let Some(last) = tiers.pop_if(|last| is_merged(last, anchors.len())) {
            dropped.add(last.add_known_to(&mut anchors, self.evictions));
        }
        if !anchors.is_empty() {
            tiers.push(Arc::new(Tier::new(anchors)));
        }
        (self.with_tiers(tiers), dropped)
    }

    /// The large tiers that are to be one. [`Self::with_anchors`] never merges them.
    pub(super) fn tiers_to_merge(&self) -> Vec<Arc<Tier>> {
        let mut large: Vec<_> = self.tiers.iter().filter(|it| it.len() >= LARGE).collect();
        let (mut merged, mut len) = (Vec::new(), 0);
        while let Some(last) = large.pop_if(|last| len == 0 || last.len() < GROWTH * len) {
            len += last.len();
            merged.push(Arc::clone(last));
        }
        if merged.len() == 1 {
            merged.clear();
        }
        merged
    }

    /// A searcher with another tier in the place of these. None if it lacks one of them.
    pub(super) fn with_tiers_replaced(
        &self,
        replaced: &[Arc<Tier>],
        new: Option<Arc<Tier>>,
    ) -> Option<Self> {
        let is_replaced = |tier: &Arc<Tier>| replaced.iter().any(|it| Arc::ptr_eq(it, tier));
        let at = self.tiers.iter().position(is_replaced)?;
        let kept = self.tiers.iter().filter(|tier| !is_replaced(tier));
        let mut tiers: Vec<_> = kept.cloned().collect();
        if tiers.len() + replaced.len() != self.tiers.len() {
            return None;
        }
        if let Some(new) = new {
            tiers.insert(at, new);
        }
        Some(self.with_tiers(tiers))
    }

    fn with_tiers(&self, tiers: Vec<Arc<Tier>>) -> Self {
        Self {
            tiers: tiers.into(),
            evictions: self.evictions,
        }
    }
}

impl fmt::Debug for SecretSearcher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SecretSearcher")
            .field("anchors", &self.anchors())
            .finish_non_exhaustive()
    }
}

/// Bytes of a text that are searched at a time.
const BLOCK: usize = 64 << 10;

/// Each tier has at least this many times the anchors of the next one.
const GROWTH: usize = 4;

/// A tier of so many anchors, of some 2,000 tokens, takes milliseconds to build. It is merged with
/// others while nobody waits for it.
const LARGE: usize = 16 << 10;

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
