//! Paths in one form for all that are equivalent (RFC 3986, section 6.2.2).

use std::borrow::Cow;

use ouli_codec::minted::is_plain;

/// The path with its percent-encoding in upper case, without encoding of unreserved characters, and
/// without dot segments.
pub(super) fn normalized(path: &str) -> Cow<'_, str> {
    let decoded = normalized_encoding(path);
    if has_dot_segment(&decoded) {
        return Cow::Owned(without_dot_segments(&decoded));
    }
    decoded
}

fn normalized_encoding(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut text = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let encoded = after.get(..2);
        match encoded.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if is_unreserved(byte) => text.push(char::from(byte)),
            Some(byte) => text.push_str(&format!("%{byte:02X}")),
            // It is no percent-encoding.
            None => {
                text.push('%');
                rest = after;
                continue;
            }
        }
        rest = after.get(2..).unwrap_or_default();
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// A segment of a normalized path without its percent-encoding, if it is then written in the same
/// way in all texts, as `urn:uuid:` is.
pub(crate) fn decoded(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    let decoded = segment.replace("%3A", ":").replace("%40", "@");
    match is_plain(&decoded) {
        true => Cow::Owned(decoded),
        false => Cow::Borrowed(segment),
    }
}

/// RFC 3986, section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn has_dot_segment(path: &str) -> bool {
    path.contains("/.") && path.split('/').any(is_dot_segment)
}

fn is_dot_segment(segment: &str) -> bool {
    [".", ".."].contains(&segment)
}

/// RFC 3986, section 5.2.4.
fn without_dot_segments(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_dots = false;
    for segment in path.split('/') {
        ends_in_dots = is_dot_segment(segment);
        match segment {
            "." => {}
            // The first one is empty: what is before the first slash.
            ".." if kept.len() > 1 => {
                kept.pop();
            }
            ".." => {}
            other => kept.push(other),
        }
    }
    if ends_in_dots {
        kept.push("");
    }
    kept.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_paths_have_one_form() {
        for (path, expected) in [
            ("/a/b", "/a/b"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%2Fb", "/a%2Fb"),
            ("/%7Euser/%61%2d", "/~user/a-"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/a//b/", "/a//b/"),
            ("/a/./b/../c", "/a/c"),
            ("/a/%2E%2e/b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/../../a", "/a"),
            ("/a/.b/..c", "/a/.b/..c"),
            ("*", "*"),
            ("/100%", "/100%"),
            ("/%zz%4", "/%zz%4"),
            ("/%é", "/%é"),
            // Reserved characters keep their encoding: they may separate.
            ("/a%3Bb%40", "/a%3Bb%40"),
            ("/a;b@", "/a;b@"),
        ] {
            assert_eq!(normalized(path), expected, "{path}");
            assert_eq!(normalized(expected), expected);
        }
    }
}
