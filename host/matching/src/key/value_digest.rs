//! The digest of the value of a part.

use super::digest::{OrderedDigest, Sketch, Tag, pair};
use super::holes::{Holes, child};

/// The digest of the value of a part, and the sketch of its components.
pub(super) struct ValueDigest {
    pub(super) digest: u128,
    pub(super) sketch: Sketch,
}

impl ValueDigest {
    pub(super) fn without_sketch(digest: u128) -> Self {
        Self {
            digest,
            sketch: Sketch::default(),
        }
    }
}

/// Sorts pairs by name. Pairs of one name keep their order.
pub(super) fn sort_by_name<'a>(
    pairs: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Vec<(&'a str, &'a [u8])> {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_by_key(|(name, _)| *name);
    pairs
}

/// The digest of pairs in this order. The client makes up the values of some names.
pub(super) fn digest_pairs(
    tag: Tag,
    pairs: &[(&str, &[u8])],
    is_minted: &dyn Fn(&str) -> bool,
    holes: &mut Holes<'_>,
) -> ValueDigest {
    let (mut list, mut sketch) = (OrderedDigest::new(tag), Sketch::default());
    for (index, (name, value)) in pairs.iter().enumerate() {
        let place = child(holes.root(), index as u128);
        let text = std::str::from_utf8(value).ok().filter(|_| is_minted(name));
        let name = holes.leaf(Tag::Name, name.as_bytes(), child(place, 0));
        let value = match text {
            Some(text) => holes.spot(text, child(place, 1)),
            None => holes.leaf(Tag::Text, value, child(place, 1)),
        };
        let digest = pair(Tag::Member, name, value);
        list.push(digest);
        sketch.add(digest);
    }
    ValueDigest {
        digest: list.finish(),
        sketch,
    }
}
