//! The words that responses of the upstream have told in this process.
//!
//! A secret that a client can have from one of them was made now, wherever the response had it: in
//! a text, in a page, under a name that no rule knows, or in a stream that is still open. The words
//! are kept as a Bloom filter: nothing is read from it, and with each word it takes more secrets
//! for new ones, which are asked for instead of replayed.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The words of one session, in filters of growing sizes: most sessions are told little.
pub(super) struct ToldWords {
    seed: u64,
    filters: [OnceLock<Filter>; SIZES.len()],
    /// The bytes that count in the memory of all sessions.
    counted: AtomicUsize,
}

/// A Bloom filter.
struct Filter {
    bits: Box<[AtomicU64]>,
    words: AtomicUsize,
}

/// The sizes of the filters in bytes.
const SIZES: [usize; 4] = [1 << 10, 1 << 12, 1 << 14, 1 << 16];
/// A filter takes a word for so many bytes. The last one takes all.
const BYTES_OF_WORD: usize = 2;
/// Bits of each word.
const BITS_OF_WORD: u64 = 4;

impl Default for ToldWords {
    fn default() -> Self {
        Self {
            seed: RandomState::new().hash_one(0),
            filters: Default::default(),
            counted: AtomicUsize::new(0),
        }
    }
}

impl Filter {
    fn of_size(bytes: usize) -> Self {
        Self {
            bits: (0..bytes / 8).map(|_| AtomicU64::new(0)).collect(),
            words: AtomicUsize::new(0),
        }
    }

    fn bytes(&self) -> usize {
        self.bits.len() * 8
    }

    fn has(&self, hash: u64) -> bool {
        let is_set = |(index, bit): (usize, u64)| {
            let bits = self
                .bits
                .get(index)
                .map(|bits| bits.load(Ordering::Relaxed));
            bits.is_some_and(|bits| bits & bit != 0)
        };
        self.places(hash).all(is_set)
    }

    fn is_full(&self) -> bool {
        self.words.load(Ordering::Relaxed) >= self.bytes() / BYTES_OF_WORD
    }

    fn add(&self, hash: u64) {
        for (index, bit) in self.places(hash) {
            if let Some(bits) = self.bits.get(index) {
                bits.fetch_or(bit, Ordering::Relaxed);
            }
        }
        self.words.fetch_add(1, Ordering::Relaxed);
    }

    /// The elements of a word, each with its bit.
    fn places(&self, hash: u64) -> impl Iterator<Item = (usize, u64)> {
        let count = self.bits.len() as u64 * 64;
        let (first, step) = (hash >> 32, (hash & u64::from(u32::MAX)) | 1);
        (0..BITS_OF_WORD).map(move |ordinal| {
            let place = first.wrapping_add(ordinal.wrapping_mul(step)) % count;
            let index = usize::try_from(place / 64).unwrap_or_default();
            (index, 1 << (place % 64))
        })
    }
}

/// Reads one body as it arrives.
#[derive(Debug, Default)]
pub struct WordReader {
    /// The word that the bytes so far end with.
    word: Vec<u8>,
    /// The byte before it.
    before: Option<u8>,
}

/// Shorter words are common.
const MIN_LEN: usize = 6;
/// What counts of a longer word.
const MAX_LEN: usize = 4096;

impl ToldWords {
    /// Adds the words of the next bytes of a body.
    pub(super) fn read(&self, reader: &mut WordReader, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let len = rest.iter().take_while(|byte| is_word_byte(**byte)).count();
            let room = MAX_LEN.saturating_sub(reader.word.len());
            reader.word.extend_from_slice(&rest[..len.min(room)]);
            // The next bytes may be late, and the word is whole without them.
            self.add_word(reader.before, &reader.word);
            let Some(after) = rest.get(len) else {
                return;
            };
            reader.word.clear();
            reader.before = Some(*after);
            rest = &rest[len + 1..];
        }
    }

    /// True if the longest word of a value was told, which tells it from others.
    pub(super) fn have(&self, value: &[u8]) -> bool {
        let words = value.split(|byte| !is_word_byte(*byte));
        let word = words.max_by_key(|word| word.len()).unwrap_or_default();
        let word = &word[..word.len().min(MAX_LEN)];
        word.len() >= MIN_LEN && self.has(xxh3_64_with_seed(word, self.seed))
    }

    /// The bytes that are new since the last call.
    pub(super) fn take_uncounted(&self) -> usize {
        let bytes = self.bytes();
        bytes.saturating_sub(self.counted.fetch_max(bytes, Ordering::Relaxed))
    }

    /// The bytes that were counted.
    pub(super) fn counted(&self) -> usize {
        self.counted.load(Ordering::Relaxed)
    }

    /// The size in bytes.
    fn bytes(&self) -> usize {
        let filters = self.filters.iter().filter_map(OnceLock::get);
        filters.map(Filter::bytes).sum()
    }

    fn has(&self, hash: u64) -> bool {
        let mut filters = self.filters.iter().map_while(OnceLock::get);
        filters.any(|filter| filter.has(hash))
    }

    /// Adds a word, and what is left of it without the escape that it may begin with.
    fn add_word(&self, before: Option<u8>, word: &[u8]) {
        self.add(word);
        let escape = match (before, word.first()) {
            // `%2Fword` and `\u002fword`.
            (Some(b'%'), _) => 2,
            (Some(b'\\'), Some(b'u')) => 5,
            // `\nword`, and a length before a text in a binary format.
            (Some(b'\\' | ..=0x1f | 0x80..), _) => 1,
            _ => return,
        };
        self.add(word.get(escape..).unwrap_or_default());
    }

    fn add(&self, word: &[u8]) {
        if word.len() < MIN_LEN {
            return;
        }
        let hash = xxh3_64_with_seed(word, self.seed);
        if self.has(hash) {
            return;
        }
        for (ordinal, (filter, size)) in self.filters.iter().zip(SIZES).enumerate() {
            let filter = filter.get_or_init(|| Filter::of_size(size));
            if ordinal + 1 == SIZES.len() || !filter.is_full() {
                return filter.add(hash);
            }
        }
    }
}

/// Letters, digits, and the digits of base64 in URLs. Other bytes of secrets may be escaped.
fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(chunks: &[&[u8]]) -> ToldWords {
        let (words, mut reader) = (ToldWords::default(), WordReader::default());
        for chunk in chunks {
            words.read(&mut reader, chunk);
        }
        words
    }

    #[test]
    fn a_secret_is_told_in_any_notation() {
        let secret = b"a1b/c2d3e4f5+g6==";
        for text in [
            "a1b/c2d3e4f5+g6==",
            "<t>a1b/c2d3e4f5+g6==</t>",
            "x=a1b%2Fc2d3e4f5%2Bg6%3D%3D&y",
            "{\"x\":\"a1b\\/c2d3e4f5+g6\\u003d\"}",
            "{\"x\":\"a1b\\u002fc2d3e4f5\"}",
            "a1b&#x2F;c2d3e4f5&#43;g6",
            "\n\u{1}Zc2d3e4f5+",
        ] {
            assert!(told(&[text.as_bytes()]).have(secret), "{text}");
        }
        for text in ["", "a1b", "c2d3e4f", "c2d3e4f5x", "xc2d3e4f5", "C2D3E4F5"] {
            assert!(!told(&[text.as_bytes()]).have(secret), "{text}");
        }
    }

    #[test]
    fn a_word_is_whole_at_any_cut_and_before_its_end() {
        let text = b"{\"t\":\"secret-of-now";
        for cut in 0..=text.len() {
            let words = told(&[&text[..cut], &text[cut..]]);
            assert!(words.have(b"secret-of-now"), "{cut}");
        }
        assert!(!told(&[b"secret-of-now", b"adays"]).have(b"adays"));
    }

    #[test]
    fn short_values_and_others_are_not_told() {
        let words = told(&[b"12345 token-of-alice"]);
        for value in ["", "12345", "token-of-bobby", "alice"] {
            assert!(!words.have(value.as_bytes()), "{value}");
        }
        let long = vec![b'a'; 3 * MAX_LEN];
        assert!(told(&[&long]).have(&long));
    }

    #[test]
    fn few_other_words_are_taken_for_told_ones() {
        let words = ToldWords::default();
        for number in 0..10_000 {
            words.read(
                &mut WordReader::default(),
                format!("told-{number}").as_bytes(),
            );
        }
        let told = (0..10_000).all(|number| words.have(format!("told-{number}").as_bytes()));
        let other = (0..10_000).filter(|number| words.have(format!("other-{number}").as_bytes()));
        assert!(told && other.count() < 200);
        assert_eq!(words.bytes(), SIZES[..3].iter().sum::<usize>());
    }
}
