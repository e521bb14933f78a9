//! Text to bodies: the four forms in which a body stands in a cassette.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::value::RawValue;

use super::body::is_space;
use super::digest::is_body_digest;
use super::shape::{Lines, Object, Text};
use crate::exchange::Content;

/// A body as it was read, still borrowed from the cassette where that can be.
pub(super) enum Body<'a> {
    /// JSON text or other text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// The digest and the size in bytes of a stored body.
    File(String, u64),
}

impl Body<'_> {
    /// The body as a part of `whole`, the buffer from which it was read, where it stands there.
    pub(super) fn content(self, whole: &Bytes) -> Content {
        match self {
            Self::Text(Cow::Borrowed(text)) => Content::Inline(whole.slice_ref(text.as_bytes())),
            Self::Text(Cow::Owned(text)) => Content::Inline(Bytes::from(text)),
            Self::Bytes(bytes) => Content::Inline(Bytes::from(bytes)),
            Self::File(digest, size) => Content::Stored { digest, size },
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Body<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Object(members) = Object::<Members<'_>>::deserialize(from)?;
        members.into_body().map_err(Error::custom)
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Members<'a> {
    #[serde(borrow, default)]
    before: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "json")]
    json: Option<&'a str>,
    #[serde(borrow, default)]
    after: Option<Text<'a>>,
    #[serde(borrow, default)]
    text: Option<Lines<'a>>,
    #[serde(borrow, default)]
    base64: Option<Text<'a>>,
    #[serde(borrow, default)]
    file: Option<Text<'a>>,
    #[serde(default)]
    size: Option<u64>,
}

impl<'a> Members<'a> {
    fn into_body(self) -> Result<Body<'a>, &'static str> {
        let (before, after) = (space(self.before)?, space(self.after)?);
        let around = !before.is_empty() || !after.is_empty();
        match (self.json, self.text, self.base64, self.file, self.size) {
            (Some(json), None, None, None, None) if around => {
                Ok(Body::Text(Cow::Owned([&before, json, &after].concat())))
            }
            (Some(json), None, None, None, None) => Ok(Body::Text(Cow::Borrowed(json))),
            (None, Some(Lines(text)), None, None, None) if !around => Ok(Body::Text(text)),
            (None, None, Some(Text(base64)), None, None) if !around => STANDARD
                .decode(base64.as_bytes())
                .map(Body::Bytes)
                .map_err(|_| "expected padded base64"),
            (None, None, None, Some(Text(file)), Some(size)) if !around => file
                .split_once(".bodies/")
                .filter(|(_, digest)| is_body_digest(digest))
                .map(|(_, digest)| Body::File(digest.to_owned(), size))
                .ok_or("expected a file SESSION.bodies/SHA256"),
            _ => Err("expected one of `json`, `text`, `base64`, `file` with `size`"),
        }
    }
}

/// The very text of a JSON value, `null` included.
fn json<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de str>, D::Error> {
    <&RawValue>::deserialize(from).map(|raw| Some(raw.get()))
}

fn space(text: Option<Text<'_>>) -> Result<Cow<'_, str>, &'static str> {
    let text = text.map_or(Cow::Borrowed(""), |text| text.0);
    if text.chars().all(is_space) {
        Ok(text)
    } else {
        Err("expected white space in `before` and `after`")
    }
}
