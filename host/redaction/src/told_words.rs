//! The words that responses of the upstream have told in this process.
//!
//! A secret that a client can have from one of them was made now, wherever the response had it: in
//! a text, in a page, under a name that no rule knows, or in a stream that is still open. The words
//! are kept as a Bloom filter: nothing is read from it, and with each word it takes more secrets
//! for new ones, which are asked for instead of replayed.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::secrets::Secrets;

/// The words of one session.
#[derive(Default)]
pub(super) struct ToldWords {
    keys: RandomState,
    filter: OnceLock<Box<[AtomicU64]>>,
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
/// The size of the filter: 64 KiB.
const BITS: u64 = 1 << 19;
/// Bits of each word.
const BITS_OF_WORD: u64 = 3;

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
        let Some((filter, word)) = self.filter.get().zip(words.max_by_key(|word| word.len()))
        else {
            return false;
        };
        let word = &word[..word.len().min(MAX_LEN)];
        let is_set = |(index, bit): (usize, u64)| filter[index].load(Ordering::Relaxed) & bit != 0;
        word.len() >= MIN_LEN && self.places(word).all(is_set)
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
        let new = || (0..BITS / 64).map(|_| AtomicU64::new(0)).collect();
        let filter = self.filter.get_or_init(new);
        for (index, bit) in self.places(word) {
            filter[index].fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// The bits of a word: the elements of the filter, each with its bit.
    fn places(&self, word: &[u8]) -> impl Iterator<Item = (usize, u64)> {
        let hash = self.keys.hash_one(word);
        let (first, step) = (hash >> 32, (hash & u64::from(u32::MAX)) | 1);
        (0..BITS_OF_WORD).map(move |ordinal| {
            let place = first.wrapping_add(ordinal.wrapping_mul(step)) % BITS;
            let index = usize::try_from(place / 64).unwrap_or_default();
            (index, 1 << (place % 64))
        })
    }
}

impl Secrets {
    /// The upstream tells these next bytes of a body.
    pub fn tell(&self, reader: &mut WordReader, bytes: &[u8]) {
        self.told.read(reader, bytes);
    }

    /// The secret with this digest is sent to the upstream, whose responses may repeat it.
    pub fn send(&self, digest: u128) {
        let secret = self.registry.read().with_digest(digest).cloned();
        if let Some(secret) = secret {
            secret.send(|| self.told.have(secret.value()));
        }
    }

    /// True if a request was recorded, since the last call, with a secret that was told where no
    /// rule looked: it is in clear in what was recorded before.
    pub fn take_told(&self) -> bool {
        self.was_told.swap(false, Ordering::AcqRel)
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
        let other = (0..10_000).filter(|number| words.have(format!("other-{number}").as_bytes()));
        assert!(other.count() < 50);
    }
}
