//! Bodies in which each line is a JSON text, compared line by line by value. A line counts as an
//! element of an array.

use bytes::Bytes;

use super::digest::{OrderedDigest, Sketch, Tag, pair};
use super::exclusions::Exclusions;
use super::holes::{Holes, child};
use super::json::{Json, JsonDigester};
use super::minted::Minted;
use super::value_digest::ValueDigest;
use ouli_codec::json::Document;

/// The digest of the lines. None if one of them is not JSON.
pub(super) fn digest(
    body: &Bytes,
    exclusions: &Exclusions<'_>,
    holes: &mut Holes<'_>,
) -> Option<ValueDigest> {
    let (mut list, mut sketch) = (OrderedDigest::new(Tag::Array), Sketch::default());
    let mut kept = 0;
    for (index, document) in documents(body).enumerate() {
        let document = document?;
        if let Some(exclusions) = exclusions.element(index) {
            let place = child(holes.root(), kept);
            let digest = JsonDigester::new(&document, holes).root(&exclusions, place);
            sketch.add(digest.wrapping_add(index as u128));
            list.push(digest);
            kept += 1;
        }
    }
    Some(ValueDigest {
        digest: pair(Tag::Json, 0, list.finish()),
        sketch,
    })
}

/// The lines as a JSON array. None if one of them is not JSON.
pub(super) fn json(body: &Bytes, exclusions: &Exclusions<'_>, minted: &Minted<'_>) -> Option<Json> {
    let mut kept = Vec::new();
    for (index, document) in documents(body).enumerate() {
        let document = document?;
        if let Some(exclusions) = exclusions.element(index) {
            kept.push((index, Json::of(&document, &exclusions, minted)));
        }
    }
    Some(Json::Array(kept))
}

/// The lines that are not empty; none for one that is not JSON.
pub(super) fn documents(body: &Bytes) -> impl Iterator<Item = Option<Document>> {
    lines(body).map(Document::parse)
}

/// The record separator before a value of a JSON text sequence (RFC 7464, section 2.1).
const RECORD_SEPARATOR: u8 = 0x1e;

/// The lines that are not empty.
fn lines(body: &Bytes) -> impl Iterator<Item = Bytes> {
    let lines = body.split(|byte| *byte == b'\n');
    lines.filter_map(|line| {
        let line = line.strip_prefix(&[RECORD_SEPARATOR]).unwrap_or(line);
        let is_empty = line.iter().all(u8::is_ascii_whitespace);
        (!is_empty).then(|| body.slice_ref(line))
    })
}
