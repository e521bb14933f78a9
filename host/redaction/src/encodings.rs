//! The guises in which one secret may stand in a text: as it is, escaped or encoded.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, percent_encode};

use ouli_codec::form::RESERVED;

/// A guise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// The bytes themselves.
    Raw,
    /// Percent-encoded, all but the unreserved characters of RFC 3986.
    Percent,
    /// The same with digits in lower case.
    PercentLower,
    /// As `encodeURIComponent` of browsers does it.
    UriComponent,
    /// As forms are encoded: a space is `+`.
    Form,
    /// Escaped for a JSON string.
    Json,
    /// The same with `/` escaped.
    JsonSlash,
    /// The same with `<`, `>` and `&` escaped, for use within HTML.
    JsonHtml,
    /// Base64, where this many bytes of a group of three stand before the secret.
    Base64(usize),
    /// Base64 in the alphabet for URLs, likewise.
    Base64Url(usize),
    /// Hex digits in lower case.
    Hex,
    /// Hex digits in upper case.
    HexUpper,
}

impl Encoding {
    const ALL: [Self; 16] = [
        Self::Raw,
        Self::Percent,
        Self::PercentLower,
        Self::UriComponent,
        Self::Form,
        Self::Json,
        Self::JsonSlash,
        Self::JsonHtml,
        Self::Base64(0),
        Self::Base64(1),
        Self::Base64(2),
        Self::Base64Url(0),
        Self::Base64Url(1),
        Self::Base64Url(2),
        Self::Hex,
        Self::HexUpper,
    ];

    /// All guises of a secret that differ from one another.
    pub(super) fn distinct_encodings(secret: &[u8]) -> Vec<(Self, Vec<u8>)> {
        let mut all: Vec<(Self, Vec<u8>)> = Vec::new();
        for variant in Self::ALL {
            let bytes = variant.encode(secret);
            if all.iter().all(|(_, other)| *other != bytes) {
                all.push((variant, bytes));
            }
        }
        all
    }

    /// How many bytes behind the guise belong to it too: where base64 is padded, the character
    /// before the padding holds nothing but the last bits of the secret.
    pub(super) fn padding_len(self, rest: &[u8]) -> usize {
        let encoded = match self {
            Self::Base64(_) | Self::Base64Url(_) => true,
            Self::Raw
            | Self::Percent
            | Self::PercentLower
            | Self::UriComponent
            | Self::Form
            | Self::Json
            | Self::JsonSlash
            | Self::JsonHtml
            | Self::Hex
            | Self::HexUpper => false,
        };
        match rest {
            [last, b'=', b'=', ..] if encoded && is_base64(*last) => 3,
            [last, b'=', ..] if encoded && is_base64(*last) => 2,
            _ => 0,
        }
    }

    /// The secret in this guise. Of base64 only the characters that the secret alone decides.
    pub(super) fn encode(self, secret: &[u8]) -> Vec<u8> {
        match self {
            Self::Raw => secret.to_vec(),
            Self::Percent => percent_encode(secret, RESERVED).to_string().into_bytes(),
            Self::PercentLower => lower_digits(Self::Percent.encode(secret)),
            Self::UriComponent => percent_encode(secret, COMPONENT).to_string().into_bytes(),
            Self::Form => {
                let text = percent_encode(secret, FORM).to_string();
                text.replace("%20", "+").into_bytes()
            }
            Self::Json => escape(secret, b""),
            Self::JsonSlash => escape(secret, b"/"),
            Self::JsonHtml => escape(secret, b"<>&"),
            Self::Base64(before) => base64(secret, before, &STANDARD_NO_PAD),
            Self::Base64Url(before) => base64(secret, before, &URL_SAFE_NO_PAD),
            Self::Hex => hex(secret, b"0123456789abcdef"),
            Self::HexUpper => hex(secret, b"0123456789ABCDEF"),
        }
    }
}

const COMPONENT: &AsciiSet = &RESERVED
    .remove(b'!')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');
/// What the form encoding of browsers escapes.
const FORM: &AsciiSet = &RESERVED.remove(b'*').add(b'~');

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}

fn lower_digits(mut encoded: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    while let Some(byte) = encoded.get(at) {
        if *byte == b'%' {
            let end = (at + 3).min(encoded.len());
            encoded[at..end].make_ascii_lowercase();
            at = end;
        } else {
            at += 1;
        }
    }
    encoded
}

fn escape(secret: &[u8], also: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(secret.len());
    for byte in secret {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            b'/' if also.contains(byte) => out.extend(b"\\/"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0..=0x1f => out.extend(format!("\\u{byte:04x}").bytes()),
            _ if also.contains(byte) => out.extend(format!("\\u{byte:04x}").bytes()),
            _ => out.push(*byte),
        }
    }
    out
}

fn base64(secret: &[u8], before: usize, engine: &impl Engine) -> Vec<u8> {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(secret);
    let text = engine.encode(&bytes).into_bytes();
    let (first, last) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    text.get(first..last).unwrap_or_default().to_vec()
}

fn hex(secret: &[u8], digits: &[u8; 16]) -> Vec<u8> {
    let digit = |value: u8| digits[usize::from(value & 15)];
    secret
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(secret: &str) -> Vec<String> {
        let all = Encoding::distinct_encodings(secret.as_bytes());
        let texts = all
            .into_iter()
            .map(|(_, bytes)| String::from_utf8(bytes).unwrap());
        texts.collect()
    }

    #[test]
    fn guises_differ_only_where_they_have_to() {
        let expected = ["abc123", "YWJjMTIz", "FiYzEyM", "hYmMxMj", "616263313233"];
        assert_eq!(shown("abc123"), expected);
    }

    #[test]
    fn every_guise_is_made() {
        let all = shown("a/<\"~ é>");
        for guise in [
            "a/<\"~ é>",
            "a%2F%3C%22~%20%C3%A9%3E",
            "a%2f%3c%22~%20%c3%a9%3e",
            "a%2F%3C%22%7E+%C3%A9%3E",
            "a/<\\\"~ é>",
            "a\\/<\\\"~ é>",
            "a/\\u003c\\\"~ é\\u003e",
            "612f3c227e20c3a93e",
            "612F3C227E20C3A93E",
        ] {
            assert!(all.iter().any(|own| own == guise), "{guise} not in {all:?}");
        }
    }

    #[test]
    fn base64_is_found_at_every_place_of_a_group() {
        let secret = [0xfb, 0xff, 0xbe, 1, 2, 3, 4, 0xfe];
        for (before, after) in [
            ("", ""),
            ("x", "y"),
            ("xy", "yz"),
            ("xyz", ""),
            ("user:", "é"),
        ] {
            let whole = [before.as_bytes(), &secret, after.as_bytes()].concat();
            let place = before.len() % 3;
            for (text, variant) in [
                (STANDARD_NO_PAD.encode(&whole), Encoding::Base64(place)),
                (URL_SAFE_NO_PAD.encode(&whole), Encoding::Base64Url(place)),
            ] {
                let guise = String::from_utf8(variant.encode(&secret)).unwrap();
                assert!(
                    guise.len() >= 9 && text.contains(&guise),
                    "{guise} not in {text}"
                );
            }
        }
    }
}
