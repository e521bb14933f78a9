//! The digest of each part's value, taken from a message without copying it.

use super::body::digest_body;
use super::digest::{OrderedDigest, Sketch, Tag, leaf};
use super::name_list::ExcludedNames;
use super::part::KeyPart;
use super::value_digest::{ValueDigest, digest_pairs, sort_by_name};
use ouli_codec::MessageView;

/// The value of a part in a message.
pub(super) fn digest_value(part: &KeyPart, message: &dyn MessageView) -> ValueDigest {
    match part {
        KeyPart::Endpoint => text(message.endpoint()),
        KeyPart::Method => text(message.method()),
        KeyPart::Authority => text(message.authority()),
        KeyPart::Path => path(message.path()),
        KeyPart::Query { except: but } => digest_pairs(Tag::Pairs, &query(message, but)),
        KeyPart::Header(name) => header(message, name),
        KeyPart::Headers { except: but } => digest_pairs(Tag::Pairs, &headers(message, but)),
        KeyPart::Body { except: but } => digest_body(message, but),
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
    sort_by_name(kept.map(|(name, value)| (name.as_str(), value.as_bytes())))
}

/// The headers that count, sorted by name; values of one name keep their order.
pub(super) fn headers<'a>(
    message: &'a dyn MessageView,
    but: &ExcludedNames,
) -> Vec<(&'a str, &'a [u8])> {
    let all = message.fields().iter();
    let kept = all.filter(|(name, _)| !but.contains(name.as_str()));
    sort_by_name(kept.map(|(name, value)| (name.as_str(), value.as_bytes())))
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
