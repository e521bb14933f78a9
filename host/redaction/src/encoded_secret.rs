//! A secret in one encoding. A long one is encoded piece by piece, so that it takes little memory.

use std::ops::Range;

use crate::encodings::{Encoding, PIECE, is_plain};
use crate::text_hash::{TextHash, TextHasher};

/// A longer secret is encoded piece by piece.
const MAX_WHOLE: usize = PIECE / 2;

/// A secret in one encoding.
pub(super) struct EncodedSecret<'a> {
    pub(super) encoding: Encoding,
    /// Length of the encoded secret in bytes.
    pub(super) len: usize,
    /// Hash of the whole encoded secret.
    pub(super) hash: TextHash,
    secret: &'a [u8],
    /// All bytes of an encoded secret that is not long.
    bytes: Option<Vec<u8>>,
}

impl<'a> EncodedSecret<'a> {
    /// A secret in all its distinct encodings.
    pub(super) fn all(secret: &'a [u8]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        let is_plain = secret.iter().all(|byte| is_plain(*byte));
        for encoding in Encoding::ALL {
            // Nothing is escaped: it is the secret itself.
            if is_plain && encoding.is_escaped() {
                continue;
            }
            let bytes = (secret.len() <= MAX_WHOLE).then(|| encoding.encode(secret));
            if bytes.is_some() && all.iter().any(|other| other.bytes == bytes) {
                continue;
            }
            let new = Self::new(secret, encoding, bytes);
            // Nobody can construct two texts with equal hashes.
            let is_equal = |other: &Self| (other.len, other.hash) == (new.len, new.hash);
            if !all.iter().any(is_equal) {
                all.push(new);
            }
        }
        all
    }

    fn new(secret: &'a [u8], encoding: Encoding, bytes: Option<Vec<u8>>) -> Self {
        let mut hasher = TextHasher::default();
        match &bytes {
            Some(bytes) => hasher.add(bytes),
            None => encoding.encode_pieces(secret, |piece| {
                hasher.add(piece);
                true
            }),
        }
        Self {
            encoding,
            len: hasher.len(),
            hash: hasher.finish(),
            secret,
            bytes,
        }
    }

    /// A part of the encoded secret.
    pub(super) fn part(&self, range: Range<usize>) -> Vec<u8> {
        if let Some(bytes) = &self.bytes {
            return bytes.get(range).unwrap_or_default().to_vec();
        }
        let (mut part, mut start) = (Vec::with_capacity(range.len()), 0);
        self.encoding.encode_pieces(self.secret, |piece| {
            let from = range.start.saturating_sub(start).min(piece.len());
            let to = range.end.saturating_sub(start).min(piece.len());
            part.extend_from_slice(&piece[from..to]);
            start += piece.len();
            start < range.end
        });
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encodings(secret: &str) -> Vec<String> {
        let all = EncodedSecret::all(secret.as_bytes()).into_iter();
        let texts = all.map(|encoded| String::from_utf8(encoded.part(0..encoded.len)).unwrap());
        texts.collect()
    }

    #[test]
    fn equal_encodings_are_listed_once() {
        let expected = ["abc123", "YWJjMTIz", "FiYzEyM", "hYmMxMj", "616263313233"];
        assert_eq!(encodings("abc123"), expected);
    }

    #[test]
    fn no_byte_that_some_encoding_escapes_is_plain() {
        let escaped = Encoding::ALL.into_iter().filter(|it| it.is_escaped());
        assert_eq!(escaped.clone().count(), 7);
        for byte in (0..=u8::MAX).filter(|byte| is_plain(*byte)) {
            assert!(
                escaped.clone().all(|it| it.encode(&[byte]) == [byte]),
                "{byte}"
            );
        }
    }

    #[test]
    fn lists_every_encoding() {
        let all = encodings("a/<\"~ é>");
        for encoded in [
            "a/<\"~ é>",
            "a%2F%3C%22~%20%C3%A9%3E",
            "a%2f%3c%22~%20%c3%a9%3e",
            "a%2F%3C%22%7E+%C3%A9%3E",
            "a/<\\\"~ é>",
            "a\\/<\\\"~ é>",
            "a/\\u003c\\\"~ é\\u003e",
            "612f3c227e20c3a93e",
            "612F3C227E20C3A93E",
        ] {
            assert!(
                all.iter().any(|found| found == encoded),
                "{encoded} not in {all:?}"
            );
        }
    }

    #[test]
    fn a_long_secret_has_the_parts_and_hashes_of_its_encodings() {
        let secret: Vec<u8> = (0..5 * PIECE).map(|n| (n * n % 251) as u8).collect();
        for len in [PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 2, 5 * PIECE] {
            let secret = &secret[..len];
            for encoding in Encoding::ALL {
                let whole = encoding.encode(secret);
                let encoded = EncodedSecret::new(secret, encoding, None);
                assert_eq!(encoded.len, whole.len(), "{encoding:?} {len}");
                assert_eq!(encoded.hash, TextHash::of(&whole), "{encoding:?} {len}");
                let middle = whole.len() * 7 / 8;
                for range in [0..7, middle - 64..middle + 64, whole.len() - 3..whole.len()] {
                    let part = encoded.part(range.clone());
                    assert_eq!(part, whole[range], "{encoding:?} {len}");
                }
            }
        }
    }

    #[test]
    fn equal_encodings_of_a_long_secret_are_listed_once() {
        let secret = "abc123".repeat(PIECE);
        let all = EncodedSecret::all(secret.as_bytes());
        let all: Vec<_> = all.iter().map(|encoded| encoded.encoding).collect();
        let expected = [
            Encoding::Raw,
            Encoding::Base64(0),
            Encoding::Base64(1),
            Encoding::Base64(2),
            Encoding::Hex,
        ];
        assert_eq!(all, expected);
    }
}
