//! The parts of a key in full, for people. Two descriptions are equal exactly where the keys are.

use bytes::Bytes;

use super::body::{Body, PartContent, kept_fields};
use super::exclusions::Exclusions;
use super::json::Json;
use super::part::KeyPart;
use super::value;
use ouli_codec::json::Pointer;
use ouli_codec::{MessageView, multipart};

/// One part of a key in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedPart {
    /// The part's name, as [`KeyPart::name`] gives it.
    pub name: String,
    /// What the request holds there.
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
    /// Parameters of a query or fields of a form, sorted by name.
    Pairs(Vec<(String, String)>),
    /// JSON.
    Json(Json),
    /// The parts of a multipart body, in order.
    BodyParts(Vec<BodyPart>),
}

/// One part of a multipart body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyPart {
    /// Its name in a form.
    pub name: Option<String>,
    /// The name of the file that it was.
    pub filename: Option<String>,
    /// Its content type.
    pub content_type: Option<String>,
    /// JSON, text or bytes.
    pub content: Value,
}

/// The given parts of a request in full, in their order.
pub fn describe(parts: &[KeyPart], message: &dyn MessageView) -> Vec<DescribedPart> {
    let describe = |part: &KeyPart| DescribedPart {
        name: part.name(),
        value: describe_part(part, message),
    };
    parts.iter().map(describe).collect()
}

fn describe_part(part: &KeyPart, message: &dyn MessageView) -> Value {
    match part {
        KeyPart::Endpoint => Value::Text(message.endpoint().to_owned()),
        KeyPart::Method => Value::Text(message.method().to_owned()),
        KeyPart::Authority => Value::Text(message.authority().to_owned()),
        KeyPart::Path => Value::Text(message.path().to_owned()),
        KeyPart::Query { except: but } => pairs(&value::query(message, but)),
        KeyPart::Header(name) => {
            let values = message.fields().get_all(name);
            fields(values.map(|value| (name.as_str(), value.as_bytes())))
        }
        KeyPart::Headers { except: but } => fields(value::headers(message, but).into_iter()),
        KeyPart::Body { except: but } => body(message, but),
        KeyPart::Custom { value, .. } => raw(value),
    }
}

fn body(message: &dyn MessageView, but: &[Pointer]) -> Value {
    let but = Exclusions::new(but);
    match Body::of(message, &but) {
        Body::Empty => Value::Empty,
        Body::Json(json) => Value::Json(Json::of(json, &but)),
        Body::Form(fields) => pairs(&kept_fields(&fields, &but)),
        Body::Multipart(parts) => {
            let kept = parts.iter().filter_map(|part| {
                let but = but.member(part.name.as_deref().unwrap_or(""))?;
                Some(describe_body_part(part, message.body(), &but))
            });
            Value::BodyParts(kept.collect())
        }
        Body::Raw(bytes) => raw(bytes),
    }
}

fn describe_body_part(part: &multipart::Part, body: &Bytes, but: &Exclusions<'_>) -> BodyPart {
    BodyPart {
        name: part.name.clone(),
        filename: part.filename.clone(),
        content_type: part.content_type.clone(),
        content: match PartContent::of(part, body) {
            PartContent::Json(json) => Value::Json(Json::of(&json, but)),
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

/// Names and values were decoded to text before they came here, so nothing is lost.
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
