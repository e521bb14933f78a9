//! Computes the digests of the values of parts, without copying the message.

use std::sync::Arc;

use super::body::digest_body;
use super::credentials;
use super::digest::{OrderedDigest, Sketch, Tag, leaf};
use super::holes::{Holes, child};
use super::name_list::ExcludedNames;
use super::part::{HEADER_PREFIX, KeyPart};
use super::path::{decoded, normalized};
use super::value_digest::{ValueDigest, digest_pairs, sort_by_name};
use ouli_codec::MessageView;
use ouli_codec::identity::has_hole;

/// The digest of the value of a part in a message.
pub(super) fn digest_value(
    part: &KeyPart,
    message: &dyn MessageView,
    holes: &mut Holes<'_>,
) -> ValueDigest {
    match part {
        KeyPart::Endpoint => text(message.endpoint()),
        KeyPart::Method => text(message.method()),
        KeyPart::Authority => text(message.authority()),
        KeyPart::Path => path(&normalized(message.path()), holes),
        KeyPart::Query { except } => {
            let (pairs, minted) = (query(message, except), Arc::clone(&holes.minted));
            let is_minted = |name: &str| minted.spots.has_query(name);
            digest_pairs(Tag::Pairs, &pairs, &is_minted, holes)
        }
        KeyPart::Header(name) => header(message, name, holes),
        KeyPart::Cookies => {
            collect_cookies(message, holes);
            ValueDigest::without_sketch(leaf(Tag::Text, COOKIES))
        }
        KeyPart::Vary { .. } | KeyPart::Minted(_) => {
            ValueDigest::without_sketch(leaf(Tag::Empty, &[]))
        }
        KeyPart::HiddenHeaders { except } => hidden(message, except, holes),
        KeyPart::Headers { except } => {
            let (pairs, minted) = (headers(message, except), Arc::clone(&holes.minted));
            digest_pairs(Tag::Pairs, &pairs, &|name| minted.has_header(name), holes)
        }
        KeyPart::Body { except } => digest_body(message, except, holes),
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

fn path(path: &str, holes: &mut Holes<'_>) -> ValueDigest {
    let mut sketch = Sketch::default();
    let minted = holes.minted.segments(path);
    // Paths that differ only in case or in a trailing slash are the most similar ones.
    let alike = path.strip_suffix('/').unwrap_or(path);
    for (index, segment) in alike.split('/').enumerate() {
        if minted
            .as_ref()
            .is_some_and(|minted| minted.contains(&index))
        {
            continue;
        }
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
        digest: match minted {
            Some(minted) => minted_path(path, &minted, holes),
            None => holes.leaf(Tag::Text, path.as_bytes(), holes.root()),
        },
        sketch,
    }
}

/// The digest of a path of which some segments are values that the client made up.
fn minted_path(path: &str, minted: &[usize], holes: &mut Holes<'_>) -> u128 {
    let mut list = OrderedDigest::new(Tag::Values);
    for (index, segment) in path.split('/').enumerate() {
        let place = child(holes.root(), index as u128);
        list.push(match minted.contains(&index) {
            true => holes.spot(&decoded(segment), place),
            false => holes.leaf(Tag::Text, segment.as_bytes(), place),
        });
    }
    list.finish()
}

fn header(message: &dyn MessageView, name: &str, holes: &mut Holes<'_>) -> ValueDigest {
    let mut list = OrderedDigest::new(Tag::Values);
    for (index, value) in message.fields().get_all(name).enumerate() {
        let place = child(holes.root(), index as u128);
        let text = value
            .to_str()
            .ok()
            .filter(|_| holes.minted.has_header(name));
        list.push(match text {
            Some(text) => holes.spot(text, place),
            None => holes.leaf(
                Tag::Text,
                &credentials::compared(name, value.as_bytes()),
                place,
            ),
        });
    }
    ValueDigest::without_sketch(list.finish())
}

/// The headers with secrets that no other part compares, sorted by name.
pub(super) fn hidden_headers<'a>(
    message: &'a dyn MessageView,
    except: &ExcludedNames,
) -> Vec<(&'a str, &'a [u8])> {
    let with_holes = message.with_holes().unwrap_or(message).fields();
    let names: Vec<_> = with_holes
        .iter()
        .filter(|(name, value)| has_hole(value.as_bytes()) && !except.contains(name.as_str()))
        .map(|(name, _)| name)
        .collect();
    let all = message.fields().iter();
    let hidden = all.filter(|(name, _)| names.contains(name));
    sort_by_name(hidden.map(|(name, value)| (name.as_str(), value.as_bytes())))
}

/// The digest of the headers with secrets.
fn hidden(message: &dyn MessageView, except: &ExcludedNames, holes: &mut Holes<'_>) -> ValueDigest {
    let mut list = OrderedDigest::new(Tag::Pairs);
    for (name, value) in hidden_headers(message, except) {
        let place = child(holes.root(), leaf(Tag::Name, name.as_bytes()));
        let before = holes.len();
        list.push(leaf(Tag::Name, name.as_bytes()));
        list.push(holes.leaf(Tag::Text, value, place));
        holes.end_part(before, || format!("{HEADER_PREFIX}{name}"));
    }
    ValueDigest::without_sketch(list.finish())
}

/// Collects the values that the client made up in headers, which need not be parts of the key.
pub(super) fn collect_minted_headers(message: &dyn MessageView, holes: &mut Holes<'_>) {
    for name in holes.minted.headers() {
        let (root, before) = (leaf(Tag::Minted, name.as_bytes()), holes.len());
        for (index, value) in message.fields().get_all(name).enumerate() {
            holes.spot(
                value.to_str().unwrap_or_default(),
                child(root, index as u128),
            );
        }
        holes.end_part(before, || format!("{HEADER_PREFIX}{name}"));
    }
}

/// What is compared of cookies beside the identities in them: that there are some.
pub(super) const COOKIES: &[u8] = b"sent";

/// Collects the identities in the cookies, each in the place of its name.
fn collect_cookies(message: &dyn MessageView, holes: &mut Holes<'_>) {
    for value in message.fields().get_all("cookie") {
        for cookie in value.as_bytes().split(|byte| *byte == b';') {
            let cookie = cookie.trim_ascii();
            let name = cookie
                .split(|byte| *byte == b'=')
                .next()
                .unwrap_or_default();
            let place = child(holes.root(), leaf(Tag::Name, name));
            holes.collect(cookie, place);
        }
    }
}
