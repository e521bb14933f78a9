//! Computes the digests of the values of parts, without copying the message.

use super::body::digest_body;
use super::digest::{OrderedDigest, Sketch, Tag, leaf};
use super::name_list::ExcludedNames;
use super::part::KeyPart;
use super::path::normalized;
use super::value_digest::{ValueDigest, digest_pairs, sort_by_name};
use ouli_codec::MessageView;

/// The digest of the value of a part in a message.
pub(super) fn digest_value(part: &KeyPart, message: &dyn MessageView) -> ValueDigest {
    match part {
        KeyPart::Endpoint => text(message.endpoint()),
        KeyPart::Method => text(message.method()),
        KeyPart::Authority => text(message.authority()),
        KeyPart::Path => path(&normalized(message.path())),
        KeyPart::Query { except } => digest_pairs(Tag::Pairs, &query(message, except)),
        KeyPart::Header(name) => header(message, name),
        KeyPart::Headers { except } => digest_pairs(Tag::Pairs, &headers(message, except)),
        KeyPart::Body { except } => digest_body(message, except),
        KeyPart::Custom { value, .. } => ValueDigest::without_sketch(leaf(Tag::Custom, value)),
    }
}

/// The query parameters that are not excluded, sorted by name. Values of one name keep their order.
pub(super) fn query<'a>(
    message: &'a dyn MessageView,
    except: &ExcludedNames,
) -> Vec<(&'a str, &'a [u8])> {
    let kept = message
        .query()
        .iter()
        .filter(|(name, _)| !except.contains(name));
    sort_by_name(kept.map(|(name, value)| (name.as_str(), value.as_bytes())))
}

/// The headers that are not excluded, sorted by name. Values of one name keep their order.
pub(super) fn headers<'a>(
    message: &'a dyn MessageView,
    except: &ExcludedNames,
) -> Vec<(&'a str, &'a [u8])> {
    let all = message.fields().iter();
    let kept = all.filter(|(name, _)| !except.contains(name.as_str()));
    sort_by_name(kept.map(|(name, value)| (name.as_str(), value.as_bytes())))
}

fn text(text: &str) -> ValueDigest {
    ValueDigest::without_sketch(leaf(Tag::Text, text.as_bytes()))
}

fn path(path: &str) -> ValueDigest {
    let mut sketch = Sketch::default();
    // Paths that differ only in case or in a trailing slash are the most similar ones.
    let alike = path.strip_suffix('/').unwrap_or(path);
    for (index, segment) in alike.split('/').enumerate() {
        // The position counts: `/a/b` is not similar to `/b/a`.
        let has_upper_case = segment.bytes().any(|byte| byte.is_ascii_uppercase());
        let segment = if has_upper_case {
            leaf(Tag::Text, segment.to_ascii_lowercase().as_bytes())
        } else {
            leaf(Tag::Text, segment.as_bytes())
        };
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
