//! Reads a body, in each of the forms that a cassette has for it.

use std::borrow::Cow;
use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::body_writer::is_json_whitespace;
use super::digest::is_body_digest;
use super::strict_json::{Lines, Text};
use ouli_message::Content;

/// A parsed body, borrowed from the cassette if possible.
pub(super) enum ParsedBody<'a> {
    /// JSON text or other text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// The digest and the size in bytes of a stored body.
    File(String, u64),
}

impl ParsedBody<'_> {
    /// The body. Borrowed text becomes a slice of `buffer`, from which it was parsed.
    pub(super) fn into_content(self, buffer: &Bytes) -> Content {
        match self {
            Self::Text(Cow::Borrowed(text)) => Content::Inline(buffer.slice_ref(text.as_bytes())),
            Self::Text(Cow::Owned(text)) => Content::Inline(Bytes::from(text)),
            Self::Bytes(bytes) => Content::Inline(Bytes::from(bytes)),
            Self::File(digest, size) => Content::Stored { digest, size },
        }
    }

    /// The bytes of a body that must not be stored as a file.
    pub(super) fn into_bytes(self) -> Result<Vec<u8>, &'static str> {
        match self {
            Self::Text(text) => Ok(text.into_owned().into_bytes()),
            Self::Bytes(bytes) => Ok(bytes),
            Self::File(..) => Err("`file` is only allowed in a `text` or `binary` message"),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ParsedBody<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BodyVisitor;
        impl<'de> Visitor<'de> for BodyVisitor {
            type Value = ParsedBody<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ParsedBody<'de>, A::Error> {
                let mut members = BodyMembers::default();
                while let Some(Text(name)) = map.next_key()? {
                    members.read(&name, &mut map)?;
                }
                let body = members.into_body().map_err(Error::custom)?;
                body.ok_or_else(|| Error::custom(INVALID_FORM))
            }
        }
        deserializer.deserialize_map(BodyVisitor)
    }
}

/// The members of a body, collected while an object is read that may have other members too.
#[derive(Default)]
pub(super) struct BodyMembers<'a> {
    before: Option<Text<'a>>,
    json: Option<&'a RawValue>,
    after: Option<Text<'a>>,
    text: Option<Lines<'a>>,
    base64: Option<Text<'a>>,
    file: Option<Text<'a>>,
    size: Option<u64>,
}

impl<'a> BodyMembers<'a> {
    /// Reads the value of the member `name`.
    ///
    /// # Errors
    /// If a body has no such member, if the member is duplicated, or if its value has the wrong
    /// type.
    pub(super) fn read<'de: 'a, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match name {
            "before" => set_once(&mut self.before, "before", map),
            "json" => set_once(&mut self.json, "json", map),
            "after" => set_once(&mut self.after, "after", map),
            "text" => set_once(&mut self.text, "text", map),
            "base64" => set_once(&mut self.base64, "base64", map),
            "file" => set_once(&mut self.file, "file", map),
            "size" => set_once(&mut self.size, "size", map),
            other => Err(Error::unknown_field(other, NAMES)),
        }
    }

    /// The body; `None` if there is no member.
    pub(super) fn into_body(self) -> Result<Option<ParsedBody<'a>>, &'static str> {
        let no_whitespace_members = self.before.is_none() && self.after.is_none();
        let (before, after) = (
            check_whitespace(self.before)?,
            check_whitespace(self.after)?,
        );
        let has_whitespace = !before.is_empty() || !after.is_empty();
        let json = self.json.map(RawValue::get);
        let body = match (json, self.text, self.base64, self.file, self.size) {
            (None, None, None, None, None) if no_whitespace_members => return Ok(None),
            (Some(json), None, None, None, None) if has_whitespace => {
                ParsedBody::Text(Cow::Owned([&before, json, &after].concat()))
            }
            (Some(json), None, None, None, None) => ParsedBody::Text(Cow::Borrowed(json)),
            (None, Some(Lines(text)), None, None, None) if !has_whitespace => {
                ParsedBody::Text(text)
            }
            (None, None, Some(Text(base64)), None, None) if !has_whitespace => STANDARD
                .decode(base64.as_bytes())
                .map(ParsedBody::Bytes)
                .map_err(|_| "expected padded base64")?,
            (None, None, None, Some(Text(file)), Some(size)) if !has_whitespace => file
                .split_once(".bodies/")
                .filter(|(_, digest)| is_body_digest(digest))
                .map(|(_, digest)| ParsedBody::File(digest.to_owned(), size))
                .ok_or("expected a file SESSION.bodies/SHA256")?,
            _ => return Err(INVALID_FORM),
        };
        Ok(Some(body))
    }
}

/// Reads the value of a member, and rejects a duplicate.
pub(super) fn set_once<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    member: &mut Option<T>,
    name: &'static str,
    map: &mut A,
) -> Result<(), A::Error> {
    match member.replace(map.next_value()?) {
        None => Ok(()),
        Some(_) => Err(Error::duplicate_field(name)),
    }
}

fn check_whitespace(text: Option<Text<'_>>) -> Result<Cow<'_, str>, &'static str> {
    let text = text.map_or(Cow::Borrowed(""), |text| text.0);
    if text.chars().all(is_json_whitespace) {
        Ok(text)
    } else {
        Err("expected white space in `before` and `after`")
    }
}

const INVALID_FORM: &str = "expected one of `json`, `text`, `base64`, `file` with `size`";

const NAMES: &[&str] = &["before", "json", "after", "text", "base64", "file", "size"];
