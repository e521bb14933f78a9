//! Hashes of parts of a text, each in constant time whatever its length (Rabin and Karp).
//!
//! The base is chosen anew in each process, so nobody can construct two texts with equal hashes.

use std::cell::OnceCell;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::LazyLock;

/// A hash of bytes, with the power of the base that belongs to their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TextHash {
    value: u64,
    power: u64,
}

#[cfg(test)]
impl TextHash {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut hasher = TextHasher::default();
        hasher.add(bytes);
        hasher.finish()
    }
}

/// Hashes a text that comes in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TextHasher {
    value: u64,
    len: usize,
}

impl TextHasher {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.value = append(self.value, bytes);
        self.len += bytes.len();
    }

    /// The number of bytes so far.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn finish(self) -> TextHash {
        TextHash {
            value: self.value,
            power: power(POWERS[1], self.len),
        }
    }
}

/// The hashes of the parts of one text. They are computed when the first one is asked for.
pub(super) struct PrefixHashes<'a> {
    text: &'a [u8],
    /// The hash of the first bytes, for each multiple of [`STEP`].
    prefixes: OnceCell<Vec<u64>>,
}

/// A larger step takes less memory, a smaller one less time.
const STEP: usize = 32;

impl<'a> PrefixHashes<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            prefixes: OnceCell::new(),
        }
    }

    /// The hash of the bytes in a range. `other` is the hash of as many bytes.
    pub(super) fn of(&self, range: &Range<usize>, other: TextHash) -> TextHash {
        let before = multiply(self.prefix(range.start), other.power);
        let value = self.prefix(range.end) + PRIME - before;
        TextHash {
            value: if value >= PRIME { value - PRIME } else { value },
            power: other.power,
        }
    }

    /// The hash of the first bytes.
    fn prefix(&self, len: usize) -> u64 {
        let prefixes = self.prefixes.get_or_init(|| {
            let mut hash = 0;
            let mut prefixes = Vec::with_capacity(self.text.len() / STEP + 1);
            prefixes.push(hash);
            for bytes in self.text.chunks_exact(STEP) {
                hash = append(hash, bytes);
                prefixes.push(hash);
            }
            prefixes
        });
        let known = len / STEP;
        append(prefixes[known], &self.text[known * STEP..len])
    }
}

/// A Mersenne prime, so that a remainder costs a shift and an addition.
const PRIME: u64 = (1 << 61) - 1;

type Powers = [u64; GROUP + 1];

/// Bytes that are appended at once.
const GROUP: usize = 8;

/// The powers of the base, from its zeroth on.
static POWERS: LazyLock<Powers> = LazyLock::new(|| {
    // A small base leaves short texts apart by their values alone.
    let base = (1 << 32) + RandomState::new().hash_one(0) % (PRIME - (1 << 33));
    std::array::from_fn(|exponent| power(base, exponent))
});

/// The hash of a text with more bytes at its end.
fn append(hash: u64, bytes: &[u8]) -> u64 {
    let powers = &*POWERS;
    let mut groups = bytes.chunks_exact(GROUP);
    let hash = groups
        .by_ref()
        .fold(hash, |hash, group| append_group(hash, group, powers));
    let rest = groups.remainder().iter();
    rest.fold(hash, |hash, byte| append_byte(hash, *byte, powers))
}

fn append_byte(hash: u64, byte: u8, powers: &Powers) -> u64 {
    reduce(u128::from(hash) * u128::from(powers[1]) + u128::from(byte) + 1)
}

/// Appends as many bytes as a group has. One reduction for all takes a part of the time of eight.
fn append_group(hash: u64, group: &[u8], powers: &Powers) -> u64 {
    let terms = group.iter().zip(powers[..GROUP].iter().rev());
    let sum = terms.map(|(byte, power)| (u128::from(*byte) + 1) * u128::from(*power));
    reduce(u128::from(hash) * u128::from(powers[GROUP]) + sum.sum::<u128>())
}

fn multiply(a: u64, b: u64) -> u64 {
    reduce(u128::from(a) * u128::from(b))
}

fn reduce(value: u128) -> u64 {
    // A sum of products may exceed the square of the prime a little.
    let folded = (value as u64 & PRIME) + (value >> 61) as u64;
    let folded = (folded & PRIME) + (folded >> 61);
    if folded >= PRIME {
        folded - PRIME
    } else {
        folded
    }
}

fn power(base: u64, mut exponent: usize) -> u64 {
    let (mut square, mut power) = (base, 1);
    while exponent > 0 {
        if exponent % 2 == 1 {
            power = multiply(power, square);
        }
        square = multiply(square, square);
        exponent /= 2;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_text_has_the_hash_of_its_bytes() {
        let text: Vec<u8> = (0..100).map(|n| (n * n % 251) as u8).collect();
        let prefixes = PrefixHashes::new(&text);
        for start in 0..=text.len() {
            for end in start..=text.len() {
                let expected = TextHash::of(&text[start..end]);
                assert_eq!(prefixes.of(&(start..end), expected), expected);
            }
        }
        // Byte by byte, the hash is the same.
        let bytes = text.iter();
        let by_byte = bytes.fold(0, |hash, byte| append_byte(hash, *byte, &POWERS));
        assert_eq!(by_byte, TextHash::of(&text).value);
        let other = TextHash::of(&text[1..3]);
        assert_ne!(prefixes.of(&(0..2), other), other);
        assert_ne!(TextHash::of(b"\0"), TextHash::of(b"\0\0"));
    }
}
