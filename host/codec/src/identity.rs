//! Identities: which secret is in a place of a message.
//!
//! Keys are derived from messages in which a hole stands for each secret. All holes have the same
//! length, so that the lengths in binary formats do not depend on the secrets.

use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;

/// What is in a place of a message where a secret belongs.
///
/// A number that follows from the secret tells which one it is, whatever class the place has where
/// it was found.
#[derive(Clone, Debug)]
pub enum Identity {
    /// A known secret, by a keyed digest of its value.
    Secret(u128),
    /// A placeholder with its class and number: of a recorded message, or sent by a client.
    Placeholder(Arc<str>, u64),
    /// A value that a client made up. It is no secret.
    Minted(Arc<str>),
    /// The same for a short value, which counts in one place of its messages alone.
    Placed(u128, Arc<str>),
}

/// The first number of a placeholder that follows from the secret and a key of the user. Numbers
/// that are counted are smaller.
pub const FIRST_KEYED: u64 = 10_000_000_000;

impl Identity {
    /// True for a value that a client made up.
    pub fn is_minted(&self) -> bool {
        self.minted_value().is_some()
    }

    /// The value that a client made up.
    pub fn minted_value(&self) -> Option<&Arc<str>> {
        match self {
            Self::Minted(value) | Self::Placed(_, value) => Some(value),
            Self::Secret(_) | Self::Placeholder(..) => None,
        }
    }

    /// What counts of it.
    fn compared(&self) -> (Option<u128>, &str, u64) {
        match self {
            Self::Secret(digest) => (Some(*digest), "", 0),
            Self::Placeholder(_, number) if *number >= FIRST_KEYED => (None, "", *number),
            Self::Placeholder(class, number) => (None, class, *number),
            // No placeholder has this number.
            Self::Minted(value) => (None, value, u64::MAX),
            Self::Placed(place, value) => (Some(*place), value, u64::MAX),
        }
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.compared() == other.compared()
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.compared().hash(state);
    }
}

/// What belongs in a hole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The identity. None if the value is computed anew for each request, as signatures are.
    pub identity: Option<Identity>,
}

/// The class of the placeholders that are holes.
pub const HOLE_CLASS: &str = "i";

/// The number of the first hole. Other placeholders have smaller numbers.
const FIRST: usize = 100_000_000_000;

/// The start of a hole, without its bracket.
const START: &[u8] = b"i-1";

/// Digits of a number after the first one.
const DIGITS: usize = 11;

/// The text of the hole with this index.
pub fn hole(index: usize) -> String {
    format!("<{HOLE_CLASS}-{}>", FIRST + index)
}

/// The index of the hole with this class and number; none if it is no hole.
pub fn hole_index(class: &str, number: u64) -> Option<usize> {
    let number = usize::try_from(number).ok()?;
    (class == HOLE_CLASS)
        .then(|| number.checked_sub(FIRST))
        .flatten()
}

/// True if a text has a hole.
pub fn has_hole(text: &[u8]) -> bool {
    holes(text).next().is_some()
}

/// The holes of a text with their indexes, in order. Their brackets may be percent-encoded.
pub fn holes(text: &[u8]) -> impl Iterator<Item = (Range<usize>, usize)> {
    memmem::find_iter(text, START).filter_map(|at| {
        let (before, rest) = (&text[..at], &text[at + START.len()..]);
        let digits = rest.get(..DIGITS)?;
        let mut index = 0;
        for digit in digits {
            let digit = char::from(*digit).to_digit(10)?;
            index = 10 * index + usize::try_from(digit).ok()?;
        }
        let after = &rest[DIGITS..];
        let (open, close) = match (before, after) {
            ([.., b'<'], [b'>', ..]) => (1, 1),
            ([.., b'%', b'3', b'C'], [b'%', b'3', b'E', ..]) => (3, 3),
            _ => return None,
        };
        Some((at - open..at + START.len() + DIGITS + close, index))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_found_in_text_and_in_urls() {
        let text = format!("a{}b%3Ci-100000000012%3E<i-1><i-10000000000x>", hole(7));
        let found: Vec<_> = holes(text.as_bytes()).collect();
        assert_eq!(found, [(1..17, 7), (18..38, 12)]);
        assert!(!has_hole(b"<i-1> <token-1> i-100000000000"));
        assert_eq!(hole_index("i", 100_000_000_003), Some(3));
        assert_eq!(hole_index("i", 3), None);
        assert_eq!(hole_index("token", 100_000_000_003), None);
    }

    #[test]
    fn a_number_that_follows_from_the_secret_counts_alone() {
        let placeholder = |class: &str, number| Identity::Placeholder(class.into(), number);
        assert_ne!(placeholder("token", 1), placeholder("password", 1));
        let keyed = FIRST_KEYED + 7;
        assert_eq!(placeholder("token", keyed), placeholder("password", keyed));
        assert_ne!(placeholder("token", keyed), placeholder("token", keyed + 1));
    }
}
