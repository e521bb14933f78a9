//! The encodings in which a secret may occur in a text: raw, escaped, percent-encoded, base64, hex.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, percent_encode};

use ouli_codec::form::RESERVED;

/// An encoding of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Unchanged bytes.
    Raw,
    /// Percent-encoded, except the unreserved characters (RFC 3986, section 2.3).
    Percent,
    /// Percent-encoded with lower-case hex digits.
    PercentLower,
    /// Encoded like `encodeURIComponent` of browsers.
    UriComponent,
    /// `application/x-www-form-urlencoded`: a space is `+`.
    Form,
    /// Escaped for a JSON string.
    Json,
    /// Escaped for a JSON string, `/` included.
    JsonSlash,
    /// Escaped for a JSON string, `<`, `>` and `&` included, for use in HTML.
    JsonHtml,
    /// Base64, with this many bytes of a group of three before the secret.
    Base64(u8),
    /// Base64 with the URL-safe alphabet, with this many bytes of a group before the secret.
    Base64Url(u8),
    /// Hex digits in lower case.
    Hex,
    /// Hex digits in upper case.
    HexUpper,
}

impl Encoding {
    pub(super) const ALL: [Self; 16] = [
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

    /// Number of bytes after the encoded secret that belong to it: in padded base64 the character
    /// before the padding holds only the last bits of the secret.
    pub(super) fn padding_len(self, rest: &[u8]) -> usize {
        let is_base64_encoding = match self {
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
            [last, b'=', b'=', ..] if is_base64_encoding && is_base64(*last) => 3,
            [last, b'=', ..] if is_base64_encoding && is_base64(*last) => 2,
            _ => 0,
        }
    }

    /// True if it leaves bytes that are [`is_plain`] as they are.
    pub(super) fn is_escaped(self) -> bool {
        match self {
            Self::Percent
            | Self::PercentLower
            | Self::UriComponent
            | Self::Form
            | Self::Json
            | Self::JsonSlash
            | Self::JsonHtml => true,
            Self::Raw | Self::Base64(_) | Self::Base64Url(_) | Self::Hex | Self::HexUpper => false,
        }
    }

    /// Encodes a secret in pieces that follow each other, until `take` returns false.
    pub(super) fn encode_pieces(self, secret: &[u8], mut take: impl FnMut(&[u8]) -> bool) {
        // Pieces of base64 are whole groups of three bytes.
        let before = match self {
            Self::Base64(before) | Self::Base64Url(before) => usize::from(before),
            _ => 0,
        };
        let (first, rest) = secret.split_at(secret.len().min(PIECE - before));
        if !take(&self.encode(first)) {
            return;
        }
        let following = match self {
            Self::Base64(_) => Self::Base64(0),
            Self::Base64Url(_) => Self::Base64Url(0),
            other => other,
        };
        let mut pieces = rest.chunks(PIECE);
        while let Some(piece) = pieces.next()
            && take(&following.encode(piece))
        {}
    }

    /// Encodes a secret. For base64, only the characters that do not depend on adjacent bytes.
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
            Self::Base64(before) => base64(secret, usize::from(before), &STANDARD_NO_PAD),
            Self::Base64Url(before) => base64(secret, usize::from(before), &URL_SAFE_NO_PAD),
            Self::Hex => hex(secret, b"0123456789abcdef"),
            Self::HexUpper => hex(secret, b"0123456789ABCDEF"),
        }
    }
}

/// True for a byte that no encoding escapes.
pub(super) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
}

/// Bytes of a piece of a long secret: a multiple of three.
pub(super) const PIECE: usize = 12 << 10;

const COMPONENT: &AsciiSet = &RESERVED
    .remove(b'!')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');
/// Characters that browsers escape in forms.
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

    #[test]
    fn base64_is_found_at_every_offset_of_a_group() {
        let secret = [0xfb, 0xff, 0xbe, 1, 2, 3, 4, 0xfe];
        for (before, after) in [
            ("", ""),
            ("x", "y"),
            ("xy", "yz"),
            ("xyz", ""),
            ("user:", "é"),
        ] {
            let whole = [before.as_bytes(), &secret, after.as_bytes()].concat();
            let offset = (before.len() % 3) as u8;
            for (text, encoding) in [
                (STANDARD_NO_PAD.encode(&whole), Encoding::Base64(offset)),
                (URL_SAFE_NO_PAD.encode(&whole), Encoding::Base64Url(offset)),
            ] {
                let encoded = String::from_utf8(encoding.encode(&secret)).unwrap();
                assert!(
                    encoded.len() >= 9 && text.contains(&encoded),
                    "{encoded} not in {text}"
                );
            }
        }
    }
}
