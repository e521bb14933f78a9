//! URL queries and `application/x-www-form-urlencoded` bodies.

use std::ops::Range;

use percent_encoding::{
    AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode, utf8_percent_encode,
};

/// One name with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The decoded name, see [`decode`].
    pub name: String,
    /// The decoded value, empty without `=`, see [`decode`].
    pub value: String,
    /// The byte range of the encoded value in the text.
    pub value_span: Range<usize>,
}

/// Parses a query without `?`, or a body, into pairs. Empty pairs are skipped.
pub fn parse(text: &[u8]) -> Vec<Pair> {
    pairs(text).collect()
}

/// The same pairs one by one: all at once may take ten times the memory of the text.
pub fn pairs(text: &[u8]) -> impl Iterator<Item = Pair> {
    let mut start = 0;
    text.split(|byte| *byte == b'&').filter_map(move |pair| {
        let from = start;
        start += pair.len() + 1;
        (!pair.is_empty()).then(|| parse_pair(pair, from))
    })
}

fn parse_pair(pair: &[u8], from: usize) -> Pair {
    let equals = memchr::memchr(b'=', pair);
    let name = equals.map_or(pair, |at| &pair[..at]);
    let value = equals.map_or(&[][..], |at| &pair[at + 1..]);
    let end = from + pair.len();
    Pair {
        name: decode(name),
        value: decode(value),
        value_span: end - value.len()..end,
    }
}

/// Decodes percent-encoding, and `+` as a space. Bytes that are not UTF-8 stay percent-encoded,
/// after U+FFFD, so that texts in other encodings are told apart.
pub fn decode(text: &[u8]) -> String {
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return text_of(text.to_vec());
    }
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    text_of(percent_decode(&spaced).collect())
}

fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let encoded = percent_encode(error.as_bytes(), RESERVED);
        format!("{}{encoded}", char::REPLACEMENT_CHARACTER)
    })
}

/// Percent-encodes all characters except the unreserved ones (RFC 3986, section 2.3).
pub fn encode_component(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The characters that are percent-encoded in a component.
pub const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_pairs_and_locates_values() {
        let text = "a=1&&b+c=%3Cx%3e+y&d&=e&f=&g=h=i&%ff=%zz&";
        let pairs: Vec<_> = parse(text.as_bytes())
            .into_iter()
            .map(|pair| (pair.name, pair.value, text[pair.value_span].to_owned()))
            .collect();
        let expected = [
            ("a", "1", "1"),
            ("b c", "<x> y", "%3Cx%3e+y"),
            ("d", "", ""),
            ("", "e", "e"),
            ("f", "", ""),
            ("g", "h=i", "h=i"),
            ("\u{fffd}%FF", "%zz", "%zz"),
        ];
        let expected = expected.map(|(name, value, raw)| (name.into(), value.into(), raw.into()));
        assert_eq!(pairs, expected);
        assert!(parse(b"").is_empty());
    }

    #[test]
    fn components_survive_a_round_trip() {
        let text = "a b+c/é~<token-1>&=%";
        let encoded = encode_component(text);
        assert_eq!(encoded, "a%20b%2Bc%2F%C3%A9~%3Ctoken-1%3E%26%3D%25");
        assert_eq!(decode(encoded.as_bytes()), text);
    }
}
