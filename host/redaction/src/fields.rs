//! Redaction of headers and trailers. The syntax of a redacted value stays valid for clients.

use std::ops::Range;

use http::{HeaderName, HeaderValue};

use crate::free_text::{TextLocation, map_text};
use crate::name_value_pairs;
use crate::pass::RedactionPass;
use crate::rule::Rule;
use crate::splice::{self, Replacement};
use ouli_codec::credentials::{self, Computed};
use ouli_message::Fields;

impl RedactionPass<'_> {
    /// Redacts every value: first the headers that rules name, then all other text, in which
    /// secrets of the first step are known.
    pub(super) fn redact_fields(&mut self, fields: &mut Fields) {
        for (name, value) in fields.values_mut() {
            if let Some(new) = self.redact_field(name, value) {
                *value = new;
            }
        }
        for (name, value) in fields.values_mut() {
            let location = TextLocation::of_header(name.as_str());
            if let Some(new) = map_text(value.as_bytes(), |text| {
                self.redact_free_text(text, location, 0)
            }) {
                *value = header_value(&new);
            }
        }
    }

    /// Redacts the reason phrase of a response.
    pub(super) fn redact_reason(&mut self, reason: &mut Option<String>) {
        let Some(text) = reason else {
            return;
        };
        if let Some(new) = self.redact_free_text(text, TextLocation::Header, 0) {
            *text = new;
        }
    }

    /// Registers the secrets of the headers that rules name, without changing the headers.
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
            layout => map_text(value.as_bytes(), |text| {
                let computed = layout.computed(text);
                let secrets = layout.secrets(text, computed.as_ref()).into_iter();
                let is_account = |range: &Range<usize>| {
                    computed
                        .as_ref()
                        .is_some_and(|it| it.accounts.contains(range))
                };
                let replacements = secrets.filter_map(|range| {
                    let value = text[range.clone()].as_bytes();
                    let new = match is_account(&range) {
                        true => self.placeholder_for_account(rule, value),
                        false => self.placeholder_for(rule, value),
                    };
                    Some(Replacement::new(range, new?))
                });
                let replacements = replacements.collect();
                self.register_basic_password(rule, text);
                splice::text(text, replacements)
            }),
        };
        new.map(|new| header_value(&new))
    }

    /// Registers the password of basic credentials, base64 of `user:password` (RFC 7617).
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

/// A value made of valid values and placeholders is valid. If it is not, the whole value is
/// replaced.
fn header_value(bytes: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(bytes).unwrap_or_else(|_| HeaderValue::from_static("<redacted>"))
}

/// Where the secrets are in the value of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SecretLayout {
    /// The whole value.
    Whole,
    /// `name=SECRET; name=SECRET` (RFC 6265, section 4.2.1).
    Cookie,
    /// `name=SECRET; attribute; ...` (RFC 6265, section 4.1.1).
    SetCookie,
    /// `scheme SECRET` (RFC 9110, section 11.6.2).
    Credentials,
    /// `scheme realm="..", nonce="SECRET"` (RFC 9110, section 11.6.1).
    Challenge,
    /// `protocol, bearer, SECRET`: the only WebSocket header that a script in a browser can set.
    Subprotocols,
}

impl SecretLayout {
    fn of(name: &str) -> Self {
        match name {
            "cookie" => Self::Cookie,
            "set-cookie" => Self::SetCookie,
            "authorization" | "proxy-authorization" | "x-wsse" => Self::Credentials,
            "www-authenticate"
            | "proxy-authenticate"
            | "authentication-info"
            | "proxy-authentication-info" => Self::Challenge,
            "sec-websocket-protocol" => Self::Subprotocols,
            _ => Self::Whole,
        }
    }

    /// The parts of credentials that are computed anew for each request.
    fn computed(self, text: &str) -> Option<Computed> {
        let has_accounts = |computed: &Computed| !computed.accounts.is_empty();
        let computed = (self == Self::Credentials).then(|| credentials::computed(text.as_bytes()));
        computed.flatten().filter(has_accounts)
    }

    fn secrets(self, text: &str, computed: Option<&Computed>) -> Vec<Range<usize>> {
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
            Self::Credentials => match computed {
                Some(computed) => computed_secrets(text, computed),
                None => {
                    let start = text.find(' ').map_or(0, |at| at + 1);
                    vec![trimmed(text, start..text.len())]
                }
            },
            Self::Challenge => name_value_pairs::parameters(text)
                .filter(|(name, _)| {
                    CHALLENGE_SECRETS
                        .iter()
                        .any(|own| own.eq_ignore_ascii_case(name))
                })
                .map(|(_, value)| value)
                .collect(),
            Self::Subprotocols => subprotocols(text),
        }
    }
}

/// The accounts in computed credentials, and what is between them. The names of the parameters and
/// the delimiters stay.
fn computed_secrets(text: &str, computed: &Computed) -> Vec<Range<usize>> {
    let mut accounts = computed.accounts.clone();
    accounts.sort_by_key(|account| account.start);
    let (mut secrets, mut start) = (Vec::new(), computed.scheme_end + 1);
    for account in accounts {
        let before = &text[start..account.start];
        let name = before.rfind([' ', ',', ';', '&']).map_or(0, |at| at + 1);
        let others = before[..name].trim_end_matches([';', '&']).len();
        secrets.extend([start..start + others, account.clone()]);
        start = (account.end + 1).min(text.len());
    }
    secrets.push(start..text.len());
    let secrets = secrets.into_iter().map(|range| trimmed(text, range));
    let has_text = |range: &Range<usize>| {
        let mut bytes = text[range.clone()].bytes();
        bytes.any(|byte| !b" \t,;&\"".contains(&byte))
    };
    secrets.filter(has_text).collect()
}

/// The parameters of a challenge that change with each one or prove a secret (RFC 7616).
const CHALLENGE_SECRETS: [&str; 6] = [
    "nonce",
    "opaque",
    "cnonce",
    "nextnonce",
    "rspauth",
    "response",
];

/// The non-empty items of a list, without the white space around them.
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
    let value_start = text[item.clone()].find('=').map_or(0, |at| at + 1);
    item.start + value_start..item.end
}

/// The item after one that ends with a token prefix, and the text after `prefix.` in an item.
fn subprotocols(text: &str) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    let mut is_token = false;
    for item in items(text, ',') {
        let lower = text[item.clone()].to_ascii_lowercase();
        let inner = TOKEN_PREFIXES.iter().filter_map(|word| {
            let at = lower.find(&format!("{word}."))?;
            Some(item.start + at + word.len() + 1)
        });
        if is_token {
            secrets.push(item);
            is_token = false;
        } else if let Some(start) = inner.max() {
            secrets.push(start..item.end);
        } else {
            is_token = TOKEN_PREFIXES.iter().any(|word| lower.ends_with(word));
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
