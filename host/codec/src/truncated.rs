//! Completes truncated bodies so that they can be parsed: rules find secrets by their location, and
//! locations are known only in parsed bodies.

use std::ops::Range;

use ouli_message::stream::ChunkKind;

use crate::chunks;
use crate::cut_json;
use crate::json::{Document, Kind, Node};
use crate::multipart::{self, Part};

/// The suffix that makes a body parsable. Empty if it is parsable or its format needs no end. None
/// if there is no such suffix.
pub fn missing_suffix(content_type: Option<&str>, body: &[u8]) -> Option<Vec<u8>> {
    let character = missing_bytes_of_character(body);
    if !character.is_empty() {
        let rest = missing_suffix(content_type, &[body, character].concat())?;
        return Some([character, &rest].concat());
    }
    let content_type = content_type.unwrap_or_default();
    if let Some(boundary) = multipart::boundary(content_type) {
        return parts(body, &boundary);
    }
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let is_json_type = essence.to_ascii_lowercase().ends_with("json");
    let text = json_text(content_type, body);
    let start = text.trim_ascii_start().first();
    if text.is_empty() || !(is_json_type || matches!(start, Some(b'{' | b'['))) {
        return Some(Vec::new());
    }
    let parses = |suffix: &[u8]| Document::parse([text, suffix].concat().into()).is_some();
    if parses(&[]) {
        return Some(Vec::new());
    }
    let suffix = cut_json::read(text).map(|cut| cut.suffix);
    let suffix = suffix.filter(|suffix| parses(suffix));
    // Without a JSON content type the body is plain text.
    suffix.or((!is_json_type).then(Vec::new))
}

/// The JSON text that broke off: the last line if each line is a value, else the whole body.
fn json_text<'a>(content_type: &str, body: &'a [u8]) -> &'a [u8] {
    if chunks::chunk_kind(content_type) != Some(ChunkKind::Line) {
        return body;
    }
    let start = memchr::memrchr(b'\n', body).map_or(0, |end| end + 1);
    let line = body[start..].trim_ascii_start();
    line.strip_prefix(&[RECORD_SEPARATOR]).unwrap_or(line)
}

/// Before each value of a JSON text sequence (RFC 7464, section 2.2).
const RECORD_SEPARATOR: u8 = 0x1e;

/// The rest of the first character that a text in UTF-8 may end within: a body that ends within a
/// character is no text, and rules would not apply.
fn missing_bytes_of_character(body: &[u8]) -> &'static [u8] {
    let Err(error) = std::str::from_utf8(body) else {
        return &[];
    };
    if error.error_len().is_some() {
        return &[];
    }
    match &body[error.valid_up_to()..] {
        [0xe0] => &[0xa0, 0x80],
        [0xf0] => &[0x90, 0x80, 0x80],
        [0xf1..=0xff] => &[0x80, 0x80, 0x80],
        [0xe1..=0xff] | [0xf0..=0xff, _] => &[0x80, 0x80],
        _ => &[0x80],
    }
}

/// Where a body that is compared without the order of its parts broke off: the names of the open
/// members of JSON, or of the last field of a form. Empty for other bodies.
pub fn open_names(content_type: Option<&str>, body: &[u8]) -> Vec<u8> {
    let essence = content_type.unwrap_or_default().split(';').next();
    let essence = essence.unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let start = memchr::memrchr(b'&', body).map_or(0, |at| at + 1);
        let end = memchr::memchr(b'=', &body[start..]).map_or(body.len(), |at| start + at + 1);
        return body[start..end].to_vec();
    }
    let text = json_text(content_type.unwrap_or_default(), body);
    let cut = cut_json::read(text)
        .map(|cut| cut.names)
        .unwrap_or_default();
    let names = cut.into_iter().flat_map(|name| [b"/", &text[name]]);
    names.collect::<Vec<_>>().concat()
}

/// [`missing_suffix`] without the boundary of a multipart body, which clients choose at random.
pub fn suffix_form(content_type: Option<&str>, body: &[u8]) -> Option<Vec<u8>> {
    let suffix = missing_suffix(content_type, body)?;
    let Some(boundary) = multipart::boundary(content_type.unwrap_or_default()) else {
        return Some(suffix);
    };
    let is_boundary = |at: &usize| suffix[*at..].starts_with(boundary.as_bytes());
    Some(match (0..suffix.len()).find(is_boundary) {
        Some(at) => [&suffix[..at], &suffix[at + boundary.len()..]].concat(),
        None => suffix,
    })
}

/// True if a truncated body has a part of a value: more than names and delimiters.
pub fn has_value(content_type: Option<&str>, body: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    let has_letter = |span: Range<usize>| {
        let end = span.end.min(body.len());
        body.get(span.start..end)
            .is_some_and(|part| part.iter().any(is_letter))
    };
    let Some(suffix) = missing_suffix(content_type, body) else {
        return false;
    };
    let completed = [body, &suffix].concat();
    if let Some(boundary) = multipart::boundary(content_type.unwrap_or_default()) {
        let parts = multipart::parse(&completed, &boundary).unwrap_or_default();
        // Values of any bytes count.
        let value = |part: &Part| part.body.start < part.body.end.min(body.len());
        return parts.iter().any(value);
    }
    match Document::parse(completed.into()) {
        Some(document) => leaf_spans(document.root()).into_iter().any(has_letter),
        None => has_letter(0..body.len()),
    }
}

/// The spans of all values in a JSON value that are neither objects nor arrays.
fn leaf_spans(root: Node<'_>) -> Vec<Range<usize>> {
    let (mut left, mut spans) = (vec![root], Vec::new());
    while let Some(node) = left.pop() {
        match node.kind() {
            Kind::Object(members) => left.extend(members.map(|member| member.value)),
            Kind::Array(elements) => left.extend(elements),
            Kind::String(_) | Kind::Number | Kind::Bool(_) | Kind::Null => {
                spans.push(node.span());
            }
        }
    }
    spans
}

fn parts(body: &[u8], boundary: &str) -> Option<Vec<u8>> {
    let parses = |suffix: &[u8]| multipart::parse(&[body, suffix].concat(), boundary).is_some();
    let end = format!("\r\n--{boundary}--\r\n");
    let head = format!("\r\n\r\n{end}");
    let suffixes = [Vec::new(), end.into_bytes(), head.into_bytes()];
    suffixes.into_iter().find(|suffix| parses(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_delimiters_are_no_value() {
        let form = Some("multipart/form-data; boundary=b");
        let json = Some("application/json");
        let head = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
        for (kind, body, expected) in [
            (None, "", false),
            (None, "- ", false),
            (None, "one ", true),
            (json, "{\"a\": \"", false),
            (None, "{\"a\": [{\"b\": ", false),
            (json, "{\"a\": \"one ", true),
            (json, "{\"a\": 1, \"b\": \"", true),
            (json, "{\"a\": [true, ", true),
            (form, head, false),
            (form, &format!("{head}one "), true),
            (form, &format!("{head}!"), true),
        ] {
            assert_eq!(has_value(kind, body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn the_last_line_of_lines_is_completed() {
        let lines = Some("application/x-ndjson");
        for (body, suffix, names) in [
            (
                "{\"index\": {}}\n{\"a\": {\"b\": \"one",
                "\"}}",
                "/\"a\"/\"b\"",
            ),
            ("{\"index\": {}}\n{\"a\"", ":null}", "/\"a\""),
            ("{\"index\": {}}\n[tr", "ue]", "/"),
            ("{\"index\": {}}\n", "", ""),
            ("{\"index\": {}", "}", "/\"index\""),
            ("\u{1e}{\"a\": 1}\n\u{1e}{\"a\": ", "null}", "/\"a\""),
        ] {
            let body = body.as_bytes();
            assert_eq!(missing_suffix(lines, body).unwrap(), suffix.as_bytes());
            assert_eq!(open_names(lines, body), names.as_bytes());
        }
    }

    #[test]
    fn a_text_that_ends_within_a_character_is_completed() {
        for text in ["{\"d\": \"é€𐍈\u{10ffff}\u{800}\u{d7ff}", "é€𐍈"] {
            for end in 1..=text.len() {
                let cut = &text.as_bytes()[..end];
                let suffix = missing_suffix(None, cut).unwrap();
                let completed = [cut, &suffix[..]].concat();
                assert!(std::str::from_utf8(&completed).is_ok(), "{end}");
            }
        }
        assert_eq!(missing_suffix(None, b"\xff\xc3").unwrap(), b"");
    }

    #[test]
    fn names_tell_in_which_member_a_body_broke_off() {
        let form = Some("application/x-www-form-urlencoded");
        for (kind, body, expected) in [
            (JSON, "{\"a\": 1, \"b\": 2", "/\"b\""),
            (JSON, "{\"b\": 2, \"a\": 1", "/\"a\""),
            (
                JSON,
                "{\"x\": {\"a\": 1}, \"y\": [{\"a\": 1",
                "/\"y\"//\"a\"",
            ),
            (form, "a=1&b=2", "b="),
            (form, "a=1", "a="),
            (form, "a=1&b", "b"),
            (None, "text", ""),
        ] {
            let names = open_names(kind, body.as_bytes());
            assert_eq!(names, expected.as_bytes(), "{body}");
        }
    }

    const JSON: Option<&str> = Some("application/json");

    #[test]
    fn completes_json_truncated_at_every_byte() {
        let text =
            r#" {"a": [1, -2.5e+3, true, null, {}, []], "b\"\\": "x\u00e9y", "c": {"d": false}}"#;
        for end in 2..=text.len() {
            let cut = &text.as_bytes()[..end];
            let suffix = missing_suffix(JSON, cut);
            let suffix = suffix.unwrap_or_else(|| panic!("{}", &text[..end]));
            assert!(Document::parse([cut, &suffix[..]].concat().into()).is_some());
        }
        assert_eq!(missing_suffix(JSON, text.as_bytes()).unwrap(), b"");
    }

    #[test]
    fn distinguishes_invalid_json_from_text() {
        assert_eq!(missing_suffix(JSON, b"{\"a\": oops"), None);
        assert_eq!(missing_suffix(JSON, b"{]"), None);
        assert_eq!(
            missing_suffix(Some("text/plain"), b"{\"a\": oops").unwrap(),
            b""
        );
        assert_eq!(missing_suffix(Some("text/plain"), b"half").unwrap(), b"");
        assert_eq!(missing_suffix(None, b"{\"a\": 1").unwrap(), b"}");
        assert_eq!(missing_suffix(JSON, b"").unwrap(), b"");
    }

    #[test]
    fn the_form_of_a_suffix_does_not_depend_on_the_boundary() {
        let form = |boundary: &str, end: &str| {
            let kind = format!("multipart/form-data; boundary={boundary}");
            let head = "content-disposition: form-data; name=\"a\"";
            suffix_form(
                Some(&kind),
                format!("--{boundary}\r\n{head}{end}").as_bytes(),
            )
            .unwrap()
        };
        assert_eq!(form("one", "\r\n\r\nx"), form("two", "\r\n\r\nx"));
        assert_ne!(form("one", "\r\n\r\nx"), form("one", ""), "cut in the head");
    }

    #[test]
    fn completes_multipart_truncated_at_every_byte() {
        let kind = Some("multipart/mixed; boundary=b");
        let text = "--b\r\ncontent-disposition: form-data; name=\"pin\"\r\n\r\n12345\r\n--b--\r\n";
        let body = text.find("12345").unwrap();
        for end in body..text.len() {
            assert!(
                missing_suffix(kind, &text.as_bytes()[..end]).is_some(),
                "{}",
                &text[..end]
            );
        }
    }
}
