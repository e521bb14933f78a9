//! The parts of a key in full, for people. Two descriptions are equal exactly where the keys are.

use bytes::Bytes;

use super::body::{Body, Content, kept_fields};
use super::exclusions::But;
use super::json::Json;
use super::{Part, value};
use ouli_codec::json::Pointer;
use ouli_codec::{Message, multipart};

/// One part of a key in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The part's name, as [`Part::name`] gives it.
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
    Sections(Vec<Section>),
}

/// One part of a multipart body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
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
pub fn describe(parts: &[Part], message: &dyn Message) -> Vec<Described> {
    let describe = |part: &Part| Described {
        name: part.name(),
        value: full(part, message),
    };
    parts.iter().map(describe).collect()
}

fn full(part: &Part, message: &dyn Message) -> Value {
    match part {
        Part::Endpoint => Value::Text(message.endpoint().to_owned()),
        Part::Method => Value::Text(message.method().to_owned()),
        Part::Authority => Value::Text(message.authority().to_owned()),
        Part::Path => Value::Text(message.path().to_owned()),
        Part::Query { but } => pairs(&value::query(message, but)),
        Part::Header(name) => {
            let values = message.fields().all(name);
            fields(values.map(|value| (name.as_str(), value.as_bytes())))
        }
        Part::Headers { but } => fields(value::headers(message, but).into_iter()),
        Part::Body { but } => body(message, but),
        Part::Own { value, .. } => raw(value),
    }
}

fn body(message: &dyn Message, but: &[Pointer]) -> Value {
    let but = But::new(but);
    match Body::of(message, &but) {
        Body::Empty => Value::Empty,
        Body::Json(json) => Value::Json(Json::of(json, &but)),
        Body::Form(fields) => pairs(&kept_fields(&fields, &but)),
        Body::Multipart(parts) => {
            let kept = parts.iter().filter_map(|part| {
                let but = but.member(part.name.as_deref().unwrap_or(""))?;
                Some(section(part, message.body(), &but))
            });
            Value::Sections(kept.collect())
        }
        Body::Raw(bytes) => raw(bytes),
    }
}

fn section(part: &multipart::Part, body: &Bytes, but: &But<'_>) -> Section {
    Section {
        name: part.name.clone(),
        filename: part.filename.clone(),
        content_type: part.content_type.clone(),
        content: match Content::of(part, body) {
            Content::Json(json) => Value::Json(Json::of(&json, but)),
            Content::Raw(bytes) => raw(&bytes),
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
