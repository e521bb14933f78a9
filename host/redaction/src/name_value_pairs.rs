//! Finds names with their values in any text, without parsing the whole text.

use std::ops::Range;

use memchr::memmem;

use crate::placeholder;

/// Finds `name=value` after `?`, `&` or `#`, as in URLs; with `from_start` also at the start of the
/// text, as in forms. Returns the name and the range of the value.
pub(super) fn pairs(text: &str, from_start: bool) -> impl Iterator<Item = (&str, Range<usize>)> {
    memchr::memchr_iter(b'=', text.as_bytes()).filter_map(move |equals| {
        let mut name = name_before(text, equals, is_pair_name);
        let before = &text[..name.start];
        let escaped = before.ends_with('\\') && text[name.clone()].starts_with(AMPERSAND);
        if escaped {
            name.start += AMPERSAND.len();
        }
        let starts_pair = if before.is_empty() {
            from_start
        } else {
            escaped || before.ends_with(['?', '&', '#']) || before.ends_with("&amp;")
        };
        (starts_pair && !name.is_empty()).then(|| (&text[name], value_in_url(text, equals + 1)))
    })
}

/// `&` after a backslash in JSON that is escaped for HTML.
const AMPERSAND: &str = "u0026";

fn value_in_url(text: &str, start: usize) -> Range<usize> {
    let rest = &text[start..];
    let placeholder_len = placeholder::leading_len(rest);
    let is_end =
        |c: char| c.is_whitespace() || c.is_control() || "&#\"'<>\\`(){}[],;|^".contains(c);
    let size = rest[placeholder_len..]
        .find(is_end)
        .map_or(rest.len(), |end| placeholder_len + end);
    start..start + size
}

/// The passwords in `scheme://user:password@host`, and user information without a colon that is too
/// long for a user name.
pub(super) fn userinfo(text: &str) -> impl Iterator<Item = Range<usize>> {
    let has_userinfo = memchr::memchr(b'@', text.as_bytes()).is_some();
    let starts = has_userinfo.then(|| memmem::find_iter(text.as_bytes(), "://"));
    let secrets = starts.into_iter().flatten().filter_map(|at| {
        let start = at + 3;
        let rest = &text[start..];
        let is_end = |c: char| c.is_whitespace() || "/?#\"'<>\\`".contains(c);
        let authority = &rest[..rest.find(is_end).unwrap_or(rest.len())];
        let userinfo = &authority[..authority.rfind('@')?];
        let end = start + userinfo.len();
        match userinfo.find(':') {
            Some(colon) => Some(start + colon + 1..end),
            None => (userinfo.len() >= MIN_TOKEN_LEN).then_some(start..end),
        }
    });
    secrets.filter(|range| !range.is_empty())
}

/// True if a text may end within the user information of a URL.
pub(super) fn may_end_in_userinfo(text: &str) -> bool {
    text.rfind("://").is_some_and(|at| {
        let authority = &text[at + 3..];
        let is_end = |c: char| c.is_whitespace() || "/?#\"'<>\\`".contains(c);
        let is_long = authority.contains(':') || authority.len() >= MIN_TOKEN_LEN;
        is_long && !authority.contains(is_end)
    })
}

const MIN_TOKEN_LEN: usize = 16;

/// A member in a text that resembles JSON. Its quotes may be escaped.
pub(super) struct LooseMember<'a> {
    pub(super) name: &'a str,
    /// Start of the name.
    pub(super) start: usize,
    /// The quote of the name with the backslashes before it.
    quote: &'a str,
    /// Start of the value, or of the white space before it.
    value_start: usize,
}

/// Finds every `"name":` in a text, which may be truncated, wrapped or escaped JSON.
pub(super) fn members(text: &str) -> impl Iterator<Item = LooseMember<'_>> {
    memchr::memchr_iter(b':', text.as_bytes()).filter_map(|colon| {
        let before = text[..colon].trim_end_matches([' ', '\t', '\r', '\n']);
        let quoted = before.strip_suffix(['"', '\''])?;
        let quote = &before[quoted.trim_end_matches('\\').len()..];
        let end = before.len() - quote.len();
        let name = name_before(text, end, is_member_name);
        let opened = text[..name.start].ends_with(quote) && !name.is_empty();
        opened.then(|| LooseMember {
            start: name.start,
            name: &text[name],
            quote,
            value_start: colon + 1,
        })
    })
}

impl<'a> LooseMember<'a> {
    /// Start of the value, or of the white space before it.
    pub(super) fn value_start(&self) -> usize {
        self.value_start
    }

    /// The range of the value, and the quote that a replacement needs if the value has none. None
    /// for objects, arrays and `null`.
    pub(super) fn value(&self, text: &'a str) -> Option<(Range<usize>, &'a str)> {
        let rest = text[self.value_start..].trim_start_matches([' ', '\t', '\r', '\n']);
        let start = text.len() - rest.len();
        if let Some(quoted) = rest.strip_prefix(self.quote) {
            let start = start + self.quote.len();
            return Some((start..start + self.string_len(quoted), ""));
        }
        let is_end = |c: char| c.is_whitespace() || ",}]\"'\\<>".contains(c);
        let bare = &rest[..rest.find(is_end).unwrap_or(rest.len())];
        let plain = !bare.is_empty() && !bare.starts_with(['{', '[']) && bare != "null";
        plain.then(|| (start..start + bare.len(), self.quote))
    }

    /// The length of a string up to its closing quote, or to the end if it is truncated.
    fn string_len(&self, quoted: &str) -> usize {
        let (slashes, mark) = self.quote.split_at(self.quote.len() - 1);
        for (at, _) in quoted.match_indices(mark) {
            let before = &quoted[..at];
            let backslashes = at - before.trim_end_matches('\\').len();
            let is_closing = match slashes.len() {
                0 => backslashes.is_multiple_of(2),
                count => backslashes == count,
            };
            if is_closing {
                return at - slashes.len();
            }
        }
        quoted.len()
    }
}

/// Finds `name="value"` and `name=value` in a header value.
pub(super) fn parameters(text: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    memchr::memchr_iter(b'=', text.as_bytes()).filter_map(|equals| {
        let name = name_before(text, equals, is_member_name);
        let rest = &text[equals + 1..];
        let range = match rest.strip_prefix('"') {
            Some(quoted) => equals + 2..equals + 2 + quoted.find('"').unwrap_or(quoted.len()),
            None => {
                let end = rest.find([',', ' ', ';']).unwrap_or(rest.len());
                equals + 1..equals + 1 + end
            }
        };
        (!name.is_empty()).then(|| (&text[name], range))
    })
}

fn name_before(text: &str, end: usize, is_name: fn(&u8) -> bool) -> Range<usize> {
    let bytes = text.as_bytes()[..end].iter().rev();
    end - bytes
        .take(MAX_NAME)
        .take_while(|byte| is_name(byte))
        .count()..end
}

const MAX_NAME: usize = 128;

fn is_pair_name(byte: &u8) -> bool {
    is_member_name(byte) || b"%+[]~".contains(byte)
}

fn is_member_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.$".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_pairs_after_their_delimiters() {
        let text = "a=1&b=2 c=3 https://x/?d=4&amp;e=5#f=6, &g=<x-1>&h=\"7\" \\u0026i=8)";
        let found: Vec<_> = pairs(text, true)
            .map(|(name, value)| (name, &text[value]))
            .collect();
        let expected = [
            ("a", "1"),
            ("b", "2"),
            ("d", "4"),
            ("e", "5"),
            ("f", "6"),
            ("g", "<x-1>"),
            ("h", ""),
            ("i", "8"),
        ];
        assert_eq!(found, expected);
        assert_eq!(pairs(text, false).next().unwrap().0, "b");
    }

    #[test]
    fn finds_passwords_in_urls() {
        let text = "http://u:p@h/ ssh://git@h https://0123456789abcdef@h ftp://u:a@b@h \
            http://h/@x://:@y://u:z";
        let found: Vec<_> = userinfo(text).map(|range| &text[range]).collect();
        assert_eq!(found, ["p", "0123456789abcdef", "a@b"]);
    }

    #[test]
    fn finds_members_in_truncated_and_escaped_json() {
        let cases = [
            (r#"{"k": "v", "#, "v"),
            (r#""k" :"a\"b" x"#, r#"a\"b"#),
            (r#""k":"a\\","z":"#, r#"a\\"#),
            (r#"{\"k\":\"v\\\"w\",\"z\":1}"#, r#"v\\\"w"#),
            (r#"{\\\"k\\\": \\\"v\\\"}"#, "v"),
            ("{'k': 'v'}", "v"),
            (r#""k":12.5}"#, "12.5"),
            (r#""k":"cut"#, "cut"),
        ];
        for (text, expected) in cases {
            let key = members(text).find(|key| key.name == "k").unwrap();
            let (range, _) = key.value(text).unwrap();
            assert_eq!(&text[range], expected, "{text}");
        }
        for text in [r#""k":{"a":1}"#, r#""k": null"#, r#""k":"#] {
            assert!(
                members(text).next().unwrap().value(text).is_none(),
                "{text}"
            );
        }
        assert!(members("k: v, http://x").next().is_none());
    }

    #[test]
    fn finds_parameters_of_headers() {
        let text = "Digest realm=\"a, b\", nonce=\"n1\", qop=auth,opaque=o";
        let found: Vec<_> = parameters(text)
            .map(|(name, value)| (name, &text[value]))
            .collect();
        assert_eq!(
            found,
            [
                ("realm", "a, b"),
                ("nonce", "n1"),
                ("qop", "auth"),
                ("opaque", "o")
            ]
        );
    }
}
