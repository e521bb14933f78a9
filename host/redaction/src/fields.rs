//! Secrets in headers and trailers, taken out so that clients still understand what is left.

use std::ops::Range;

use http::{HeaderName, HeaderValue};

use crate::free_text::{TextLocation, map_text};
use crate::name_value_pairs;
use crate::pass::RedactionPass;
use crate::rule::Rule;
use crate::splice::{self, Replacement};
use ouli_message::Fields;

impl RedactionPass<'_> {
    /// Takes the secrets out of every value: first where rules name the header, then whatever else
    /// is known by then.
    pub(super) fn redact_fields(&mut self, fields: &mut Fields) {
        for (name, value) in fields.values_mut() {
            if let Some(new) = self.redact_field(name, value) {
                *value = new;
            }
        }
        for (name, value) in fields.values_mut() {
            let place = TextLocation::of_header(name.as_str());
            if let Some(new) = map_text(value.as_bytes(), |text| {
                self.redact_free_text(text, place, 0)
            }) {
                *value = valid(&new);
            }
        }
    }

    /// Remembers the secrets of the headers that rules name, and changes nothing.
    pub(super) fn register_fields(&mut self, fields: &Fields) {
        for (name, value) in fields.iter() {
            self.redact_field(name, value);
        }
    }

    fn redact_field(&mut self, name: &HeaderName, value: &HeaderValue) -> Option<HeaderValue> {
        let rule = self.rules.headers.get(name.as_str())?;
        let new = match SecretLayout::of(name.as_str()) {
            SecretLayout::Whole => self
                .placeholder_for(rule, value.as_bytes())
                .map(String::into_bytes),
            shape => map_text(value.as_bytes(), |text| {
                let places = shape.secrets(text).into_iter();
                let pieces = places.filter_map(|range| {
                    let new = self.placeholder_for(rule, text[range.clone()].as_bytes())?;
                    Some(Replacement::new(range, new))
                });
                let pieces = pieces.collect();
                self.register_basic_password(rule, text);
                splice::text(text, pieces)
            }),
        };
        new.map(|new| valid(&new))
    }

    /// Of `user:password` in base64 the password is remembered for itself (RFC 7617).
    fn register_basic_password(&mut self, rule: &Rule, text: &str) {
        use base64::Engine;
        use base64::engine::DecodePaddingMode::Indifferent;
        use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

        let Some((scheme, credentials)) = text.split_once(' ') else {
            return;
        };
        if !scheme.eq_ignore_ascii_case("basic") {
            return;
        }
        let config = GeneralPurposeConfig::new().with_decode_padding_mode(Indifferent);
        let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
        let decoded = engine.decode(credentials.trim()).unwrap_or_default();
        if let Some(colon) = memchr::memchr(b':', &decoded) {
            self.register_uncounted(rule, &decoded[colon + 1..]);
        }
    }
}

/// What is put together here came from valid values and placeholders; should it be invalid all the
/// same, none of it is kept.
fn valid(bytes: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(bytes).unwrap_or_else(|_| HeaderValue::from_static("<redacted>"))
}

/// Where the secrets stand within the value of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SecretLayout {
    /// Everywhere.
    Whole,
    /// `name=SECRET; name=SECRET` (RFC 6265, section 4.2.1).
    Cookie,
    /// `name=SECRET; attribute; ...` (RFC 6265, section 4.1.1).
    SetCookie,
    /// `scheme SECRET` (RFC 9110, section 11.6.2).
    Credentials,
    /// `scheme realm="..", nonce="SECRET"` (RFC 9110, section 11.6.1).
    Challenge,
    /// `protocol, bearer, SECRET`: browsers can set no other header of a WebSocket.
    Subprotocols,
}

impl SecretLayout {
    fn of(name: &str) -> Self {
        match name {
            "cookie" => Self::Cookie,
            "set-cookie" => Self::SetCookie,
            "authorization" | "proxy-authorization" => Self::Credentials,
            "www-authenticate"
            | "proxy-authenticate"
            | "authentication-info"
            | "proxy-authentication-info" => Self::Challenge,
            "sec-websocket-protocol" => Self::Subprotocols,
            _ => Self::Whole,
        }
    }

    fn secrets(self, text: &str) -> Vec<Range<usize>> {
        match self {
            Self::Whole => std::iter::once(0..text.len()).collect(),
            Self::Cookie => items(text, ';')
                .map(|item| after_name(text, item))
                .collect(),
            Self::SetCookie => {
                let first = items(text, ';').next();
                first
                    .map(|item| after_name(text, item))
                    .into_iter()
                    .collect()
            }
            Self::Credentials => {
                let start = text.find(' ').map_or(0, |at| at + 1);
                vec![trimmed(text, start..text.len())]
            }
            Self::Challenge => name_value_pairs::parameters(text)
                .filter(|(name, _)| CHALLENGE.iter().any(|own| own.eq_ignore_ascii_case(name)))
                .map(|(_, value)| value)
                .collect(),
            Self::Subprotocols => subprotocols(text),
        }
    }
}

/// The parameters of challenges that change from one to the next or prove a secret (RFC 7616).
const CHALLENGE: [&str; 6] = [
    "nonce",
    "opaque",
    "cnonce",
    "nextnonce",
    "rspauth",
    "response",
];

/// The items of a list without the white space around them; empty ones are left out.
fn items(text: &str, separator: char) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    text.split(separator).filter_map(move |item| {
        let own = start..start + item.len();
        start = own.end + separator.len_utf8();
        Some(trimmed(text, own)).filter(|range| !range.is_empty())
    })
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let item = &text[range.clone()];
    let start = range.start + item.len() - item.trim_start().len();
    start..start + item.trim().len()
}

fn after_name(text: &str, item: Range<usize>) -> Range<usize> {
    let sign = text[item.clone()].find('=').map_or(0, |at| at + 1);
    item.start + sign..item.end
}

/// The item behind one that announces a token, and what stands behind such a word in one item.
fn subprotocols(text: &str) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    let mut announced = false;
    for item in items(text, ',') {
        let lower = text[item.clone()].to_ascii_lowercase();
        let inner = TOKEN_PREFIXES.iter().filter_map(|word| {
            let at = lower.find(&format!("{word}."))?;
            Some(item.start + at + word.len() + 1)
        });
        if announced {
            secrets.push(item);
            announced = false;
        } else if let Some(start) = inner.max() {
            secrets.push(start..item.end);
        } else {
            announced = TOKEN_PREFIXES.iter().any(|word| lower.ends_with(word));
        }
    }
    secrets
}

const TOKEN_PREFIXES: [&str; 6] = [
    "bearer",
    "authorization",
    "token",
    "api-key",
    "apikey",
    "auth",
];
