//! Compares bodies by content type: JSON by value, forms by field, multipart by part, others by
//! their bytes.

use std::sync::Arc;

use bytes::Bytes;

use super::digest::{OrderedDigest, Sketch, Tag, leaf, pair};
use super::exclusions::Exclusions;
use super::holes::{Holes, child};
use super::json::JsonDigester;
use super::lines;
use super::minted_places::for_each_value;
use super::minted_rules::{BodyKind, Spots};
use super::value_digest::{ValueDigest, digest_pairs, sort_by_name};
use ouli_codec::chunks::chunk_kind;
use ouli_codec::json::{Document, Pointer};
use ouli_codec::{MessageView, form, multipart};
use ouli_message::stream::ChunkKind;

/// A body by the way in which it is compared.
pub(super) enum Body<'a> {
    /// Empty or excluded.
    Empty,
    /// Compared by value.
    Json(&'a Document),
    /// Compared line by line by value, if all lines are JSON.
    Lines(&'a Bytes),
    /// Compared by field.
    Form(Vec<form::Pair>),
    /// Compared by part.
    Multipart(Vec<multipart::Part>),
    /// Compared by bytes.
    Raw(&'a Bytes),
}

impl<'a> Body<'a> {
    /// The body of a message by its content type. Without a content type, or with one for text, a
    /// JSON object or array is compared as JSON.
    pub(super) fn of(message: &'a dyn MessageView, exclusions: &Exclusions<'_>) -> Self {
        let body = message.body();
        if body.is_empty() || exclusions.excludes_all() {
            return Self::Empty;
        }
        if message.is_summarized() {
            return Self::Raw(body);
        }
        let content_type = message.fields().get_str("content-type").unwrap_or("");
        let structured = match ContentType::of(content_type) {
            ContentType::Json => message.json().map(Self::Json),
            ContentType::Lines => Some(Self::Lines(body)),
            ContentType::Form => Some(Self::Form(form::parse(body))),
            ContentType::Multipart => multipart::boundary(content_type)
                .and_then(|boundary| multipart::parse(body, &boundary))
                .map(Self::Multipart),
            ContentType::Unspecified => message
                .json()
                .filter(|json| is_container(json))
                .map(Self::Json),
            ContentType::Other => None,
        };
        structured.unwrap_or(Self::Raw(body))
    }
}

/// The digest of the body of a message. It includes the kind of body.
pub(super) fn digest_body(
    message: &dyn MessageView,
    exclusions: &[Pointer],
    holes: &mut Holes<'_>,
) -> ValueDigest {
    let minted = Arc::clone(&holes.minted);
    let exclusions = Exclusions::with_spots(exclusions, &minted.spots);
    let root = holes.root();
    match Body::of(message, &exclusions) {
        Body::Empty => ValueDigest::without_sketch(leaf(Tag::Empty, &[])),
        Body::Json(json) => {
            let mut digester = JsonDigester::new(json, holes);
            let digest = digester.root(&exclusions, root);
            ValueDigest {
                digest: pair(Tag::Json, 0, digest),
                sketch: digester.sketch,
            }
        }
        Body::Lines(body) => {
            lines::digest(body, &exclusions, holes).unwrap_or_else(|| raw_digest(body, holes))
        }
        Body::Form(fields) => {
            let is_minted = |name: &str| exclusions.member(name).is_some_and(|it| it.is_minted());
            let fields = kept_fields(&fields, &exclusions);
            digest_pairs(Tag::Form, &fields, &is_minted, holes)
        }
        Body::Multipart(parts) => {
            let nesting = (MAX_NESTED, root);
            multipart_digest(&parts, &exclusions, message.body(), nesting, holes)
        }
        Body::Raw(bytes) => raw_digest(bytes, holes),
    }
}

/// The kind of the body of a message, as far as the places in it depend on it. A body is parsed
/// only if it is compared in this way.
pub(super) fn body_kind(message: &dyn MessageView, has_body: bool) -> BodyKind<'_> {
    let body = message.body();
    if !has_body || body.is_empty() || message.is_summarized() {
        return BodyKind::Other;
    }
    let content_type = message.fields().get_str("content-type").unwrap_or("");
    match ContentType::of(content_type) {
        ContentType::Json => message.json().map_or(BodyKind::Other, BodyKind::Json),
        ContentType::Unspecified => {
            let json = message.json().filter(|json| is_container(json));
            json.map_or(BodyKind::Other, BodyKind::Json)
        }
        ContentType::Form => {
            let text = std::str::from_utf8(body).unwrap_or_default();
            match text.contains("response_type=") && text.contains("client_id=") {
                true => BodyKind::AuthorizationForm,
                false => BodyKind::Other,
            }
        }
        ContentType::Lines | ContentType::Multipart | ContentType::Other => BodyKind::Other,
    }
}

/// Calls `take` with the texts in the places of a body that are followed elsewhere.
pub(super) fn for_each_text(
    message: &dyn MessageView,
    spots: &Spots<'_>,
    mut take: impl FnMut(&str),
) {
    let exclusions = Exclusions::with_spots(&[], spots);
    match Body::of(message, &exclusions) {
        Body::Json(json) => for_each_value(json.root(), &exclusions, &mut take),
        Body::Lines(body) => {
            for (index, line) in lines::documents(body).enumerate() {
                let places = line.zip(exclusions.element(index));
                if let Some((line, places)) = places {
                    for_each_value(line.root(), &places, &mut take);
                }
            }
        }
        Body::Form(fields) => {
            for field in &fields {
                if exclusions
                    .member(&field.name)
                    .is_some_and(|it| it.is_minted())
                {
                    take(&field.value);
                }
            }
        }
        Body::Multipart(parts) => {
            for part in &parts {
                let name = part.name.as_deref().unwrap_or("");
                let content = message.body().slice(part.body.clone());
                let is_minted = exclusions.member(name).is_some_and(|it| it.is_minted());
                if let Ok(text) = std::str::from_utf8(&content)
                    && is_minted
                {
                    take(text);
                }
            }
        }
        Body::Empty | Body::Raw(_) => {}
    }
}

fn raw_digest(bytes: &[u8], holes: &mut Holes<'_>) -> ValueDigest {
    ValueDigest::without_sketch(holes.leaf(Tag::Raw, bytes, holes.root()))
}

/// The fields of a form that are not excluded, sorted by name. Values of one name keep their order.
pub(super) fn kept_fields<'a>(
    fields: &'a [form::Pair],
    exclusions: &Exclusions<'_>,
) -> Vec<(&'a str, &'a [u8])> {
    let kept = fields
        .iter()
        .filter(|field| exclusions.member(&field.name).is_some());
    sort_by_name(kept.map(|field| (field.name.as_ref(), field.value.as_bytes())))
}

/// The content of one part of a multipart body.
pub(super) enum PartContent {
    /// Valid JSON with a JSON content type, compared by value.
    Json(Document),
    /// A multipart body in another one, compared by part.
    Multipart(Vec<multipart::Part>, Bytes),
    /// Compared by bytes.
    Raw(Bytes),
}

impl PartContent {
    /// The content of a part of `body`. Multipart bodies in it are parsed `nested` levels deep.
    pub(super) fn of(part: &multipart::Part, body: &Bytes, nested: usize) -> Self {
        let bytes = body.slice(part.body.clone());
        let content_type = part.content_type.as_deref().unwrap_or("");
        let structured = match ContentType::of(content_type) {
            ContentType::Json => Document::parse(bytes.clone()).map(Self::Json),
            ContentType::Multipart if nested > 0 => multipart::boundary(content_type)
                .and_then(|boundary| multipart::parse(&bytes, &boundary))
                .map(|parts| Self::Multipart(parts, bytes.clone())),
            ContentType::Form
            | ContentType::Lines
            | ContentType::Multipart
            | ContentType::Unspecified
            | ContentType::Other => None,
        };
        structured.unwrap_or(Self::Raw(bytes))
    }
}

/// The content type of a part in which the boundary of a nested multipart body does not count.
pub(super) fn part_type(part: &multipart::Part, content: &PartContent) -> Option<String> {
    let content_type = part.content_type.as_deref()?;
    match content {
        PartContent::Multipart(..) => {
            let essence = content_type.split(';').next().unwrap_or_default();
            Some(essence.trim().to_ascii_lowercase())
        }
        PartContent::Json(_) | PartContent::Raw(_) => Some(content_type.to_owned()),
    }
}

fn multipart_digest(
    parts: &[multipart::Part],
    exclusions: &Exclusions<'_>,
    body: &Bytes,
    (nested, place): (usize, u128),
    holes: &mut Holes<'_>,
) -> ValueDigest {
    let (mut list, mut sketch) = (OrderedDigest::new(Tag::Multipart), Sketch::default());
    let kept = parts.iter().filter_map(|part| {
        let exclusions = exclusions.member(part.name.as_deref().unwrap_or(""))?;
        Some((part, exclusions))
    });
    for (index, (part, exclusions)) in kept.enumerate() {
        let place = child(place, index as u128);
        let mut body_part = OrderedDigest::new(Tag::BodyPart);
        let content = PartContent::of(part, body, nested);
        let content_type = part_type(part, &content);
        let texts = [&part.name, &part.filename, &content_type];
        for (step, text) in texts.into_iter().enumerate() {
            body_part.push(match text {
                Some(text) => holes.leaf(Tag::Text, text.as_bytes(), child(place, step as u128)),
                None => leaf(Tag::Absent, &[]),
            });
        }
        body_part.push(match content {
            PartContent::Json(json) => {
                let digest = JsonDigester::new(&json, holes).root(&exclusions, place);
                pair(Tag::Json, 0, digest)
            }
            PartContent::Multipart(parts, body) => {
                let nesting = (nested - 1, place);
                multipart_digest(&parts, &exclusions, &body, nesting, holes).digest
            }
            PartContent::Raw(bytes) => match std::str::from_utf8(&bytes) {
                Ok(text) if exclusions.is_minted() => holes.spot(text, place),
                Ok(_) | Err(_) => holes.leaf(Tag::Raw, &bytes, place),
            },
        });
        let body_part = body_part.finish();
        list.push(body_part);
        sketch.add(body_part);
    }
    ValueDigest {
        digest: list.finish(),
        sketch,
    }
}

fn is_container(json: &Document) -> bool {
    json.root().is_container()
}

/// The levels of multipart bodies within multipart bodies that are compared by part.
pub(super) const MAX_NESTED: usize = 4;

/// How a content type is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContentType {
    Json,
    /// One JSON text in each line.
    Lines,
    Form,
    Multipart,
    /// No content type, or text: the content decides.
    Unspecified,
    Other,
}

impl ContentType {
    fn of(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or("").trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        let starts_with = |start: &str| {
            let head = essence.get(..start.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(start))
        };
        // The suffix `+json` marks a JSON format (RFC 6839, section 3.1).
        let suffix = essence.rsplit_once('+').map_or("", |(_, suffix)| suffix);
        // JSON-RPC over HTTP has had types of its own.
        let json = is("application/json")
            || is("text/json")
            || is("application/json-rpc")
            || is("application/jsonrequest")
            || starts_with("application/x-amz-json-");
        if chunk_kind(essence) == Some(ChunkKind::Line) {
            Self::Lines
        } else if json || suffix.eq_ignore_ascii_case("json") {
            Self::Json
        } else if is("application/x-www-form-urlencoded") {
            Self::Form
        } else if starts_with("multipart/") {
            Self::Multipart
        } else if essence.is_empty() || starts_with("text/") {
            Self::Unspecified
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ContentType;

    #[test]
    fn a_content_type_decides() {
        let cases = [
            ("application/json", ContentType::Json),
            ("Application/JSON; charset=utf-8", ContentType::Json),
            ("application/vnd.api+json", ContentType::Json),
            ("application/x-amz-json-1.1", ContentType::Json),
            ("application/json-rpc", ContentType::Json),
            ("application/jsonrequest", ContentType::Json),
            ("application/x-www-form-urlencoded", ContentType::Form),
            ("multipart/form-data; boundary=x", ContentType::Multipart),
            ("multipart/mixed", ContentType::Multipart),
            ("", ContentType::Unspecified),
            ("text/plain", ContentType::Unspecified),
            ("application/x-ndjson", ContentType::Lines),
            ("application/json-seq", ContentType::Lines),
            ("application/octet-stream", ContentType::Other),
            ("é", ContentType::Other),
        ];
        for (content_type, expected) in cases {
            assert_eq!(ContentType::of(content_type), expected, "{content_type}");
        }
    }
}
