//! The digest of each part's value, taken from a message without copying it.

use super::digest::{List, Sketch, Tag, leaf, pair};
use super::{Names, Part, body};
use ouli_codec::Message;

/// The digest of a part's value and the sketch of what it is made of.
pub(super) struct Taken {
    pub(super) digest: u128,
    pub(super) sketch: Sketch,
}

impl Taken {
    pub(super) fn plain(digest: u128) -> Self {
        Self {
            digest,
            sketch: Sketch::default(),
        }
    }
}

/// The value of a part in a message.
pub(super) fn take(part: &Part, message: &dyn Message) -> Taken {
    match part {
        Part::Endpoint => text(message.endpoint()),
        Part::Method => text(message.method()),
        Part::Authority => text(message.authority()),
        Part::Path => path(message.path()),
        Part::Query { but } => pairs(Tag::Pairs, &query(message, but)),
        Part::Header(name) => header(message, name),
        Part::Headers { but } => pairs(Tag::Pairs, &headers(message, but)),
        Part::Body { but } => body::take(message, but),
        Part::Own { value, .. } => Taken::plain(leaf(Tag::Own, value)),
    }
}

/// The parameters that count, sorted by name; values of one name keep their order.
pub(super) fn query<'a>(message: &'a dyn Message, but: &Names) -> Vec<(&'a str, &'a [u8])> {
    let kept = message.query().iter().filter(|(name, _)| !but.cover(name));
    sorted(kept.map(|(name, value)| (name.as_str(), value.as_bytes())))
}

/// The headers that count, sorted by name; values of one name keep their order.
pub(super) fn headers<'a>(message: &'a dyn Message, but: &Names) -> Vec<(&'a str, &'a [u8])> {
    let all = message.fields().iter();
    let kept = all.filter(|(name, _)| !but.cover(name.as_str()));
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
pub(super) fn pairs(tag: Tag, pairs: &[(&str, &[u8])]) -> Taken {
    let (mut list, mut sketch) = (List::new(tag), Sketch::default());
    for (name, value) in pairs {
        let name = leaf(Tag::Name, name.as_bytes());
        let digest = pair(Tag::Member, name, leaf(Tag::Text, value));
        list.push(digest);
        sketch.add(digest);
    }
    Taken {
        digest: list.finish(),
        sketch,
    }
}

fn text(text: &str) -> Taken {
    Taken::plain(leaf(Tag::Text, text.as_bytes()))
}

fn path(path: &str) -> Taken {
    let mut sketch = Sketch::default();
    for (index, segment) in path.split('/').enumerate() {
        // The place counts: `/a/b` is not near `/b/a`.
        let segment = leaf(Tag::Text, segment.as_bytes());
        sketch.add(segment.wrapping_add(7 * index as u128));
    }
    Taken {
        digest: leaf(Tag::Text, path.as_bytes()),
        sketch,
    }
}

fn header(message: &dyn Message, name: &str) -> Taken {
    let mut list = List::new(Tag::Values);
    for value in message.fields().all(name) {
        list.push(leaf(Tag::Text, value.as_bytes()));
    }
    Taken::plain(list.finish())
}
