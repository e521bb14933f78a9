//! Reads header and trailer fields.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::header::CONTENT_LENGTH;
use http::{HeaderName, HeaderValue};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::strict_json::Text;
use ouli_message::Fields;

/// The most fields of one section. More are never recorded (`limits.upstream_header_count`), and
/// the header map of the HTTP library holds fewer than twice as many.
const MAX_FIELDS: usize = 16_384;

/// Checks that the `content-length` of a response is one that a client can read (RFC 9110, section
/// 8.6).
pub(super) fn check_content_length(fields: &Fields) -> Result<(), String> {
    let mut values = fields.get_all(CONTENT_LENGTH.as_str());
    let is_number = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        let mut lengths = text.split(',').map(str::trim);
        lengths.all(|it| it.bytes().all(|it| it.is_ascii_digit()) && it.parse::<u64>().is_ok())
    };
    match values.all(is_number) {
        true => Ok(()),
        false => Err("expected a number of bytes as `content-length`".to_owned()),
    }
}

/// Header or trailer fields: an array of pairs.
#[derive(Default)]
pub(super) struct FieldList(pub(super) Fields);

impl<'de> Deserialize<'de> for FieldList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldListVisitor;
        impl<'de> Visitor<'de> for FieldListVisitor {
            type Value = FieldList;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an array of [\"name\", \"value\"] pairs")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<FieldList, A::Error> {
                let mut fields = Fields::with_capacity(8);
                while let Some((FieldName(name), FieldValue(value))) = pairs.next_element()? {
                    if fields.len() == MAX_FIELDS {
                        return Err(Error::custom(format!("more than {MAX_FIELDS} fields")));
                    }
                    fields.push(name, value);
                }
                Ok(FieldList(fields))
            }
        }
        deserializer.deserialize_seq(FieldListVisitor)
    }
}

pub(super) struct FieldName(pub(super) HeaderName);

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        HeaderName::from_bytes(text.as_bytes())
            .map(Self)
            .map_err(|_| Error::custom("expected a header field name"))
    }
}

struct FieldValue(HeaderValue);

impl<'de> Deserialize<'de> for FieldValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldValueVisitor;
        impl<'de> Visitor<'de> for FieldValueVisitor {
            type Value = FieldValue;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string or {\"base64\": \"...\"}")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<FieldValue, E> {
                parse_value(text.as_bytes())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<FieldValue, A::Error> {
                let invalid = || Error::custom("expected {\"base64\": \"...\"}");
                let (name, text): (Text<'_>, Text<'_>) =
                    members.next_entry()?.ok_or_else(invalid)?;
                if name.0 != "base64" || members.next_key::<Text<'_>>()?.is_some() {
                    return Err(invalid());
                }
                parse_value(&STANDARD.decode(text.0.as_bytes()).map_err(Error::custom)?)
            }
        }
        deserializer.deserialize_any(FieldValueVisitor)
    }
}

fn parse_value<E: Error>(bytes: &[u8]) -> Result<FieldValue, E> {
    HeaderValue::from_bytes(bytes)
        .map(FieldValue)
        .map_err(|_| Error::custom("expected a header field value"))
}
