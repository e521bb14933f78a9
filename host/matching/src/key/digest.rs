//! Digests of typed values: `"1"` and `1` differ, and so do `ab, c` and `a, bc`.

use xxhash_rust::xxh3::xxh3_128_with_seed;

/// The type of a value. It seeds the hash: equal bytes of different types have different digests.
#[derive(Clone, Copy)]
pub(super) enum Tag {
    Key = 1,
    Name,
    Header,
    Text,
    Custom,
    Absent,
    Pairs,
    Values,
    Null,
    False,
    True,
    Number,
    String,
    Array,
    Object,
    Member,
    Empty,
    Json,
    Form,
    Multipart,
    BodyPart,
    Raw,
    Repeated,
    Holes,
    Place,
    Minted,
}

/// The digest of one value.
pub(super) fn leaf(tag: Tag, bytes: &[u8]) -> u128 {
    xxh3_128_with_seed(bytes, tag as u64)
}

/// The digest of two digests, in this order.
pub(super) fn pair(tag: Tag, left: u128, right: u128) -> u128 {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&left.to_le_bytes());
    bytes[16..].copy_from_slice(&right.to_le_bytes());
    leaf(tag, &bytes)
}

/// The digest of an ordered list. All elements have the same size, so no length is hashed.
pub(super) struct OrderedDigest {
    tag: Tag,
    state: u128,
}

impl OrderedDigest {
    pub(super) fn new(tag: Tag) -> Self {
        Self { tag, state: 0 }
    }

    pub(super) fn push(&mut self, digest: u128) {
        self.state = pair(self.tag, self.state, digest);
    }

    pub(super) fn finish(self) -> u128 {
        pair(self.tag, self.state, u128::MAX)
    }
}

/// The digest of a multiset: the order of the elements is irrelevant. A sum needs no memory and no
/// sorting.
#[derive(Default)]
pub(super) struct UnorderedDigest {
    sum: u128,
    count: u128,
}

impl UnorderedDigest {
    pub(super) fn add(&mut self, digest: u128) {
        self.sum = self.sum.wrapping_add(digest);
        self.count += 1;
    }

    pub(super) fn finish(self, tag: Tag) -> u128 {
        pair(tag, self.sum, self.count)
    }
}

/// A bit for each component of a value: values with common components have common bits. Used only
/// to rank the candidates of a miss.
#[derive(Clone, Copy, Default)]
pub(super) struct Sketch(pub(super) u64);

impl Sketch {
    pub(super) fn add(&mut self, digest: u128) {
        self.0 |= 1 << (digest & 63);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(tag: Tag, pieces: &[&str]) -> u128 {
        let mut list = OrderedDigest::new(tag);
        for piece in pieces {
            list.push(leaf(Tag::Text, piece.as_bytes()));
        }
        list.finish()
    }

    fn bag(pieces: &[&str]) -> u128 {
        let mut bag = UnorderedDigest::default();
        for piece in pieces {
            bag.add(leaf(Tag::Text, piece.as_bytes()));
        }
        bag.finish(Tag::Object)
    }

    #[test]
    fn types_borders_and_order_count() {
        let digests = [
            leaf(Tag::String, b"1"),
            leaf(Tag::Number, b"1"),
            list(Tag::Values, &["ab", "c"]),
            list(Tag::Values, &["a", "bc"]),
            list(Tag::Values, &["c", "ab"]),
            list(Tag::Values, &["abc"]),
            list(Tag::Values, &[]),
            list(Tag::Pairs, &[]),
        ];
        for (index, digest) in digests.iter().enumerate() {
            assert!(!digests[..index].contains(digest), "{index}");
        }
    }

    #[test]
    fn a_bag_counts_repetition_but_not_order() {
        assert_eq!(bag(&["a", "b"]), bag(&["b", "a"]));
        assert_ne!(bag(&["a", "a"]), bag(&["a"]));
        assert_ne!(bag(&["a", "a"]), bag(&[]));
    }
}
