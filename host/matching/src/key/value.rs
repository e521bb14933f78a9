//! The digest of each part's value, taken from a message without copying it.

use super::digest::{OrderedDigest, Sketch, Tag, leaf, pair};
use super::{ExcludedNames, KeyPart, body};
use ouli_codec::MessageView;

/// The digest of a part's value and the sketch of what it is made of.
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

/// The value of a part in a message.
pub(super) fn digest_value(part: &KeyPart, message: &dyn MessageView) -> ValueDigest {
    match part {
        KeyPart::Endpoint => text(message.endpoint()),
        KeyPart::Method => text(message.method()),
        KeyPart::Authority => text(message.authority()),
        KeyPart::Path => path(message.path()),
        KeyPart::Query { except: but } => pairs(Tag::Pairs, &query(message, but)),
        KeyPart::Header(name) => header(message, name),
        KeyPart::Headers { except: but } => pairs(Tag::Pairs, &headers(message, but)),
        KeyPart::Body { except: but } => body::digest_body(message, but),
        KeyPart::Custom { value, .. } => ValueDigest::without_sketch(leaf(Tag::Custom, value)),
    }
}

/// The parameters that count, sorted by name; values of one name keep their order.
pub(super) fn query<'a>(
    message: &'a dyn MessageView,
    but: &ExcludedNames,
) -> Vec<(&'a str, &'a [u8])> {
    let kept = message
        .query()
        .iter()
        .filter(|(name, _)| !but.contains(name));
    sorted(kept.map(|(name, value)| (name.as_str(), value.as_bytes())))
}

/// The headers that count, sorted by name; values of one name keep their order.
pub(super) fn headers<'a>(
    message: &'a dyn MessageView,
    but: &ExcludedNames,
) -> Vec<(&'a str, &'a [u8])> {
    let all = message.fields().iter();
    let kept = all.filter(|(name, _)| !but.contains(name.as_str()));
    sorted(kept.map(|(name, value)| (name.as_str(), value.as_bytes())))
}

/// Pairs sorted by name; those of one name keep their order.
pub(super) fn sorted<'a>(
    pairs: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Vec<(&'a str, &'a [u8])> {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_by_key(|(name, _)| *name);
    pairs
}

/// The digest of pairs in their order.
pub(super) fn pairs(tag: Tag, pairs: &[(&str, &[u8])]) -> ValueDigest {
    let (mut list, mut sketch) = (OrderedDigest::new(tag), Sketch::default());
    for (name, value) in pairs {
        let name = leaf(Tag::Name, name.as_bytes());
        let digest = pair(Tag::Member, name, leaf(Tag::Text, value));
        list.push(digest);
        sketch.add(digest);
    }
    ValueDigest {
        digest: list.finish(),
        sketch,
    }
}

fn text(text: &str) -> ValueDigest {
    ValueDigest::without_sketch(leaf(Tag::Text, text.as_bytes()))
}

fn path(path: &str) -> ValueDigest {
    let mut sketch = Sketch::default();
    for (index, segment) in path.split('/').enumerate() {
        // The place counts: `/a/b` is not near `/b/a`.
        let segment = leaf(Tag::Text, segment.as_bytes());
        sketch.add(segment.wrapping_add(7 * index as u128));
    }
    ValueDigest {
        digest: leaf(Tag::Text, path.as_bytes()),
        sketch,
    }
}

fn header(message: &dyn MessageView, name: &str) -> ValueDigest {
    let mut list = OrderedDigest::new(Tag::Values);
    for value in message.fields().get_all(name) {
        list.push(leaf(Tag::Text, value.as_bytes()));
    }
    ValueDigest::without_sketch(list.finish())
}
