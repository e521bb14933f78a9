//! Names and values joined by `&` and `=`: queries of URLs and `application/x-www-form-urlencoded`
//! bodies.

use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

/// One name with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The name, decoded. What is no UTF-8 is shown as U+FFFD.
    pub name: String,
    /// The value, decoded in the same way; empty where there is no `=`.
    pub value: String,
    /// Where the value stands, still encoded, in bytes of the text.
    pub value_span: Range<usize>,
}

/// The pairs of a query, without its `?`, or of a body, in order. Empty ones are left out.
pub fn parse(text: &[u8]) -> Vec<Pair> {
    let mut start = 0;
    let pairs = text.split(|byte| *byte == b'&').filter_map(|pair| {
        let from = start;
        start += pair.len() + 1;
        (!pair.is_empty()).then(|| parse_pair(pair, from))
    });
    pairs.collect()
}

fn parse_pair(pair: &[u8], from: usize) -> Pair {
    let sign = memchr::memchr(b'=', pair);
    let name = sign.map_or(pair, |at| &pair[..at]);
    let value = sign.map_or(&[][..], |at| &pair[at + 1..]);
    let end = from + pair.len();
    Pair {
        name: decode(name),
        value: decode(value),
        value_span: end - value.len()..end,
    }
}

/// Undoes percent-encoding and reads `+` as a space. What is no UTF-8 is shown as U+FFFD.
pub fn decode(text: &[u8]) -> String {
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return String::from_utf8_lossy(text).into_owned();
    }
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

/// Percent-encodes all but the unreserved characters of RFC 3986, section 2.3.
pub fn encode_component(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// What a component does not hold as it is.
pub const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_and_placed() {
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
            ("\u{fffd}", "%zz", "%zz"),
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
