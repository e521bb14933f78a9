//! Bodies by their kind: JSON by meaning, forms by fields, multipart by parts, else byte by byte.

use bytes::Bytes;

use super::digest::{OrderedDigest, Sketch, Tag, leaf, pair};
use super::exclusions::Exclusions;
use super::json::JsonDigester;
use super::value_digest::{ValueDigest, digest_pairs, sort_by_name};
use ouli_codec::json::{Document, Kind, Pointer};
use ouli_codec::{MessageView, form, multipart};

/// A body as it is compared.
pub(super) enum Body<'a> {
    /// No bytes, or all of them left out.
    Empty,
    /// By meaning.
    Json(&'a Document),
    /// By fields.
    Form(Vec<form::Pair>),
    /// By parts.
    Multipart(Vec<multipart::Part>),
    /// Byte by byte.
    Raw(&'a Bytes),
}

impl<'a> Body<'a> {
    /// The body of a message by its content type. One of no type, or of one for text, is JSON
    /// where it reads as an object or an array.
    pub(super) fn of(message: &'a dyn MessageView, but: &Exclusions<'_>) -> Self {
        let body = message.body();
        if body.is_empty() || but.excludes_all() {
            return Self::Empty;
        }
        let content_type = message.fields().get_str("content-type").unwrap_or("");
        let structured = match Type::of(content_type) {
            Type::Json => message.json().map(Self::Json),
            Type::Form => Some(Self::Form(form::parse(body))),
            Type::Multipart => multipart::boundary(content_type)
                .and_then(|boundary| multipart::parse(body, &boundary))
                .map(Self::Multipart),
            Type::Unspecified => message
                .json()
                .filter(|json| is_container(json))
                .map(Self::Json),
            Type::Other => None,
        };
        structured.unwrap_or(Self::Raw(body))
    }
}

/// The digest of a message's body. Its kind goes first.
pub(super) fn digest_body(message: &dyn MessageView, but: &[Pointer]) -> ValueDigest {
    let but = Exclusions::new(but);
    match Body::of(message, &but) {
        Body::Empty => ValueDigest::without_sketch(leaf(Tag::Empty, &[])),
        Body::Json(json) => {
            let mut walk = JsonDigester::new(json);
            let digest = walk.root(&but);
            ValueDigest {
                digest: pair(Tag::Json, 0, digest),
                sketch: walk.sketch,
            }
        }
        Body::Form(fields) => digest_pairs(Tag::Form, &kept_fields(&fields, &but)),
        Body::Multipart(parts) => multipart_digest(&parts, &but, message.body()),
        Body::Raw(bytes) => ValueDigest::without_sketch(leaf(Tag::Raw, bytes)),
    }
}

/// The fields of a form that count, sorted by name; values of one name keep their order.
pub(super) fn kept_fields<'a>(
    fields: &'a [form::Pair],
    but: &Exclusions<'_>,
) -> Vec<(&'a str, &'a [u8])> {
    let kept = fields
        .iter()
        .filter(|field| but.member(&field.name).is_some());
    sort_by_name(kept.map(|field| (field.name.as_ref(), field.value.as_bytes())))
}

/// The content of one part of a multipart body.
pub(super) enum PartContent {
    /// The part says that it is JSON, and it is.
    Json(Document),
    /// Byte by byte.
    Raw(Bytes),
}

impl PartContent {
    /// The content of a part of `body`.
    pub(super) fn of(part: &multipart::Part, body: &Bytes) -> Self {
        let bytes = body.slice(part.body.clone());
        let json = match Type::of(part.content_type.as_deref().unwrap_or("")) {
            Type::Json => Document::parse(bytes.clone()),
            Type::Form | Type::Multipart | Type::Unspecified | Type::Other => None,
        };
        json.map_or(Self::Raw(bytes), Self::Json)
    }
}

fn multipart_digest(parts: &[multipart::Part], but: &Exclusions<'_>, body: &Bytes) -> ValueDigest {
    let (mut list, mut sketch) = (OrderedDigest::new(Tag::Multipart), Sketch::default());
    for part in parts {
        let Some(but) = but.member(part.name.as_deref().unwrap_or("")) else {
            continue;
        };
        let mut section = OrderedDigest::new(Tag::BodyPart);
        section.push(optional(part.name.as_deref()));
        section.push(optional(part.filename.as_deref()));
        section.push(optional(part.content_type.as_deref()));
        section.push(match PartContent::of(part, body) {
            PartContent::Json(json) => pair(Tag::Json, 0, JsonDigester::new(&json).root(&but)),
            PartContent::Raw(bytes) => leaf(Tag::Raw, &bytes),
        });
        let section = section.finish();
        list.push(section);
        sketch.add(section);
    }
    ValueDigest {
        digest: list.finish(),
        sketch,
    }
}

fn optional(text: Option<&str>) -> u128 {
    text.map_or_else(
        || leaf(Tag::Absent, &[]),
        |text| leaf(Tag::Text, text.as_bytes()),
    )
}

fn is_container(json: &Document) -> bool {
    match json.root().kind {
        Kind::Object(_) | Kind::Array(_) => true,
        Kind::String(_) | Kind::Number | Kind::Bool(_) | Kind::Null => false,
    }
}

/// What a content type says about how to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Json,
    Form,
    Multipart,
    /// None at all, or text: what it holds decides.
    Unspecified,
    Other,
}

impl Type {
    fn of(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or("").trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        let begins = |start: &str| {
            let head = essence.get(..start.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(start))
        };
        // RFC 6839, section 3.1: the suffix `+json` says that JSON is underneath.
        let suffix = essence.rsplit_once('+').map_or("", |(_, suffix)| suffix);
        let json = is("application/json") || is("text/json") || begins("application/x-amz-json-");
        if json || suffix.eq_ignore_ascii_case("json") {
            Self::Json
        } else if is("application/x-www-form-urlencoded") {
            Self::Form
        } else if begins("multipart/") {
            Self::Multipart
        } else if essence.is_empty() || begins("text/") {
            Self::Unspecified
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Type;

    #[test]
    fn a_content_type_decides() {
        let cases = [
            ("application/json", Type::Json),
            ("Application/JSON; charset=utf-8", Type::Json),
            ("application/vnd.api+json", Type::Json),
            ("application/x-amz-json-1.1", Type::Json),
            ("application/x-www-form-urlencoded", Type::Form),
            ("multipart/form-data; boundary=x", Type::Multipart),
            ("multipart/mixed", Type::Multipart),
            ("", Type::Unspecified),
            ("text/plain", Type::Unspecified),
            ("application/x-ndjson", Type::Other),
            ("application/json-seq", Type::Other),
            ("application/octet-stream", Type::Other),
            ("é", Type::Other),
        ];
        for (content_type, expected) in cases {
            assert_eq!(Type::of(content_type), expected, "{content_type}");
        }
    }
}
