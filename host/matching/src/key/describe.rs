//! Full values of the parts of a key, for reports. Descriptions are equal if and only if the keys
//! are.

use bytes::Bytes;

use super::body::{Body, MAX_NESTED, PartContent, kept_fields, part_type};
use super::credentials;
use super::exclusions::Exclusions;
use super::json::Json;
use super::lines;
use super::part::KeyPart;
use super::path::normalized;
use super::value;
use ouli_codec::json::Pointer;
use ouli_codec::{MessageView, multipart};

/// A part of a key with its full value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedPart {
    /// The name of the part, see [`KeyPart::name`].
    pub name: String,
    /// The value in the request.
    pub value: Value,
}

/// The value of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// No body.
    Empty,
    /// Text.
    Text(String),
    /// Bytes that are not UTF-8.
    Bytes(Bytes),
    /// Headers by name; values are bytes.
    Fields(Vec<(String, Bytes)>),
    /// Query parameters or form fields, sorted by name.
    Pairs(Vec<(String, String)>),
    /// JSON.
    Json(Json),
    /// The parts of a multipart body, in order.
    BodyParts(Vec<BodyPart>),
}

/// One part of a multipart body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyPart {
    /// The name of the form field.
    pub name: Option<String>,
    /// The file name.
    pub filename: Option<String>,
    /// The content type.
    pub content_type: Option<String>,
    /// The content: JSON, text or bytes.
    pub content: Value,
}

/// Describes these parts of a request, in their order. What chooses among equal keys is none.
pub fn describe(parts: &[KeyPart], message: &dyn MessageView) -> Vec<DescribedPart> {
    let describe = |part: &KeyPart| DescribedPart {
        name: part.name(),
        value: describe_part(part, message),
    };
    let described = parts
        .iter()
        .filter(|part| !matches!(part, KeyPart::Cookies | KeyPart::Vary { .. }));
    described.map(describe).collect()
}

fn describe_part(part: &KeyPart, message: &dyn MessageView) -> Value {
    match part {
        KeyPart::Endpoint => Value::Text(message.endpoint().to_owned()),
        KeyPart::Method => Value::Text(message.method().to_owned()),
        KeyPart::Authority => Value::Text(message.authority().to_owned()),
        KeyPart::Path => Value::Text(normalized(message.path()).into_owned()),
        KeyPart::Query { except } => pairs(&value::query(message, except)),
        KeyPart::Header(name) => {
            let values = message.fields().get_all(name);
            let values: Vec<_> = values
                .map(|value| credentials::compared(name, value.as_bytes()))
                .collect();
            fields(values.iter().map(|value| (name.as_str(), &**value)))
        }
        KeyPart::Cookies | KeyPart::Vary { .. } => Value::Empty,
        KeyPart::HiddenHeaders { except } => {
            fields(value::hidden_headers(message, except).into_iter())
        }
        KeyPart::Headers { except } => fields(value::headers(message, except).into_iter()),
        KeyPart::Body { except } => body(message, except),
        KeyPart::Custom { value, .. } => raw(value),
    }
}

fn body(message: &dyn MessageView, exclusions: &[Pointer]) -> Value {
    let exclusions = Exclusions::new(exclusions);
    match Body::of(message, &exclusions) {
        Body::Empty => Value::Empty,
        Body::Json(json) => Value::Json(Json::of(json, &exclusions)),
        Body::Lines(body) => lines::json(body, &exclusions).map_or_else(|| raw(body), Value::Json),
        Body::Form(fields) => pairs(&kept_fields(&fields, &exclusions)),
        Body::Multipart(parts) => body_parts(&parts, message.body(), &exclusions, MAX_NESTED),
        Body::Raw(bytes) => raw(bytes),
    }
}

fn body_parts(
    parts: &[multipart::Part],
    body: &Bytes,
    exclusions: &Exclusions<'_>,
    nested: usize,
) -> Value {
    let kept = parts.iter().filter_map(|part| {
        let exclusions = exclusions.member(part.name.as_deref().unwrap_or(""))?;
        Some(describe_body_part(part, body, &exclusions, nested))
    });
    Value::BodyParts(kept.collect())
}

fn describe_body_part(
    part: &multipart::Part,
    body: &Bytes,
    exclusions: &Exclusions<'_>,
    nested: usize,
) -> BodyPart {
    let content = PartContent::of(part, body, nested);
    BodyPart {
        name: part.name.clone(),
        filename: part.filename.clone(),
        content_type: part_type(part, &content),
        content: match content {
            PartContent::Json(json) => Value::Json(Json::of(&json, exclusions)),
            PartContent::Multipart(parts, body) => {
                body_parts(&parts, &body, exclusions, nested - 1)
            }
            PartContent::Raw(bytes) => raw(&bytes),
        },
    }
}

fn raw(bytes: &Bytes) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::Text(text.to_owned()),
        Err(_) => Value::Bytes(bytes.clone()),
    }
}

/// Names and values are decoded text, so the conversion is lossless.
fn pairs(pairs: &[(&str, &[u8])]) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Value::Pairs(
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), text(value)))
            .collect(),
    )
}

fn fields<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> Value {
    Value::Fields(
        fields
            .map(|(name, value)| (name.to_owned(), Bytes::copy_from_slice(value)))
            .collect(),
    )
}
