//! Full values of the parts of a key, for reports. Descriptions are equal if and only if the keys
//! are.

use bytes::Bytes;

use super::body::{Body, MAX_NESTED, PartContent, kept_fields, part_type};
use super::credentials;
use super::exclusions::Exclusions;
use super::json::Json;
use super::lines;
use super::minted::{Minted, shown};
use super::minted_message::minted_in;
use super::part::KeyPart;
use super::path::{decoded, normalized};
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
    let minted = minted_in(parts, message);
    let describe = |part: &KeyPart| DescribedPart {
        name: part.name(),
        value: describe_part(part, message, &minted),
    };
    let is_chosen_by = |part: &&KeyPart| matches!(part, KeyPart::Vary { .. } | KeyPart::Minted(_));
    let described = parts.iter().filter(|part| !is_chosen_by(part));
    described.map(describe).collect()
}

fn describe_part(part: &KeyPart, message: &dyn MessageView, minted: &Minted<'_>) -> Value {
    match part {
        KeyPart::Endpoint => Value::Text(message.endpoint().to_owned()),
        KeyPart::Method => Value::Text(message.method().to_owned()),
        KeyPart::Authority => Value::Text(message.authority().to_owned()),
        KeyPart::Path => Value::Text(path(&normalized(message.path()), minted)),
        KeyPart::Query { except } => {
            let is_minted = |name: &str| minted.spots.has_query(name);
            pairs(&value::query(message, except), &is_minted, minted)
        }
        KeyPart::Header(name) => {
            let values = message.fields().get_all(name);
            let values: Vec<_> = values
                .map(|value| credentials::compared(name, value.as_bytes()))
                .collect();
            let values = values.iter().map(|value| (name.as_str(), &**value));
            fields(values, minted)
        }
        KeyPart::Cookies => {
            let sent = message.fields().get_all("cookie").next();
            let sent = sent.map(|_| ("cookie", value::COOKIES));
            fields(sent.into_iter(), &Minted::default())
        }
        KeyPart::Vary { .. } | KeyPart::Minted(_) => Value::Empty,
        KeyPart::HiddenHeaders { except } => {
            fields(value::hidden_headers(message, except).into_iter(), minted)
        }
        KeyPart::Headers { except } => fields(value::headers(message, except).into_iter(), minted),
        KeyPart::Body { except } => body(message, except, minted),
        KeyPart::Custom { value, .. } => raw(value, &Minted::default()),
    }
}

fn path(path: &str, minted: &Minted<'_>) -> String {
    let Some(spots) = minted.segments(path) else {
        return minted.hide(path);
    };
    let segments = path.split('/').enumerate();
    let segments = segments.map(|(index, segment)| match spots.contains(&index) {
        true => shown(&decoded(segment)).to_owned(),
        false => minted.hide(segment),
    });
    segments.collect::<Vec<_>>().join("/")
}

fn body(message: &dyn MessageView, exclusions: &[Pointer], minted: &Minted<'_>) -> Value {
    let exclusions = Exclusions::with_spots(exclusions, &minted.spots);
    match Body::of(message, &exclusions) {
        Body::Empty => Value::Empty,
        Body::Json(json) => Value::Json(Json::of(json, &exclusions, minted)),
        Body::Lines(body) => {
            lines::json(body, &exclusions, minted).map_or_else(|| raw(body, minted), Value::Json)
        }
        Body::Form(fields) => {
            let is_minted = |name: &str| exclusions.member(name).is_some_and(|it| it.is_minted());
            pairs(&kept_fields(&fields, &exclusions), &is_minted, minted)
        }
        Body::Multipart(parts) => {
            body_parts(&parts, message.body(), &exclusions, (MAX_NESTED, minted))
        }
        Body::Raw(bytes) => raw(bytes, minted),
    }
}

fn body_parts(
    parts: &[multipart::Part],
    body: &Bytes,
    exclusions: &Exclusions<'_>,
    (nested, minted): (usize, &Minted<'_>),
) -> Value {
    let kept = parts.iter().filter_map(|part| {
        let exclusions = exclusions.member(part.name.as_deref().unwrap_or(""))?;
        Some(describe_body_part(
            part,
            body,
            &exclusions,
            (nested, minted),
        ))
    });
    Value::BodyParts(kept.collect())
}

fn describe_body_part(
    part: &multipart::Part,
    body: &Bytes,
    exclusions: &Exclusions<'_>,
    (nested, minted): (usize, &Minted<'_>),
) -> BodyPart {
    let content = PartContent::of(part, body, nested);
    BodyPart {
        name: part.name.clone(),
        filename: part.filename.clone(),
        content_type: part_type(part, &content),
        content: match content {
            PartContent::Json(json) => Value::Json(Json::of(&json, exclusions, minted)),
            PartContent::Multipart(parts, body) => {
                body_parts(&parts, &body, exclusions, (nested - 1, minted))
            }
            PartContent::Raw(bytes) => match std::str::from_utf8(&bytes) {
                Ok(text) if exclusions.is_minted() => Value::Text(shown(text).to_owned()),
                Ok(_) | Err(_) => raw(&bytes, minted),
            },
        },
    }
}

fn raw(bytes: &Bytes, minted: &Minted<'_>) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) if minted.is_searching() => Value::Text(minted.hide(text)),
        Ok(text) => Value::Text(text.to_owned()),
        Err(_) => Value::Bytes(bytes.clone()),
    }
}

/// Names and values are decoded text, so the conversion is lossless.
fn pairs(pairs: &[(&str, &[u8])], is_minted: &dyn Fn(&str) -> bool, minted: &Minted<'_>) -> Value {
    let text = |bytes: &[u8]| minted.hide(&String::from_utf8_lossy(bytes));
    let pairs = pairs.iter().map(|(name, value)| match is_minted(name) {
        true => {
            let value = String::from_utf8_lossy(value);
            ((*name).to_owned(), shown(&value).to_owned())
        }
        false => (minted.hide(name), text(value)),
    });
    Value::Pairs(pairs.collect())
}

fn fields<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>, minted: &Minted<'_>) -> Value {
    let text = |name: &str, value: &[u8]| match std::str::from_utf8(value) {
        Ok(text) if minted.has_header(name) => Bytes::from_static(shown(text).as_bytes()),
        Ok(text) if minted.is_searching() => minted.hide(text).into(),
        Ok(_) | Err(_) => Bytes::copy_from_slice(value),
    };
    let fields = fields.map(|(name, value)| (name.to_owned(), text(name, value)));
    Value::Fields(fields.collect())
}
