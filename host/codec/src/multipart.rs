//! Multipart bodies (RFC 2046, section 5.1) with form-data names (RFC 7578).

use std::ops::Range;

use memchr::memmem;
use percent_encoding::percent_decode_str;

/// One part of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The `name` of its `content-disposition`.
    pub name: Option<String>,
    /// The `filename` of its `content-disposition`.
    pub filename: Option<String>,
    /// Its `content-type`.
    pub content_type: Option<String>,
    /// The byte range of its header in the body, without the empty line after it.
    pub header: Range<usize>,
    /// The byte range of its content in the body.
    pub body: Range<usize>,
}

/// The boundary of a multipart content type.
pub fn boundary(content_type: &str) -> Option<String> {
    let (essence, parameters) = content_type.split_once(';')?;
    let kind = essence.trim().get(..MULTIPART.len())?;
    if !kind.eq_ignore_ascii_case(MULTIPART) {
        return None;
    }
    let boundary = parameter(parameters, "boundary")?;
    (1..=MAX_BOUNDARY)
        .contains(&boundary.len())
        .then_some(boundary)
}

const MULTIPART: &str = "multipart/";
/// RFC 2046 allows 70 characters; some clients use more.
const MAX_BOUNDARY: usize = 200;

/// Parses a body into parts. None if a part has no end, a header has no empty line after it, or the
/// closing delimiter is missing.
pub fn parse(body: &[u8], boundary: &str) -> Option<Vec<Part>> {
    let dash_boundary = format!("--{boundary}");
    let mut parts = Vec::new();
    let (mut line, mut open) = (None, None);
    for at in memmem::find_iter(body, &dash_boundary) {
        let Some(found) = delimiter(body, at, dash_boundary.len()) else {
            continue;
        };
        if let Some(start) = open {
            parts.push(part(body, start..found.before)?);
        }
        line = Some(found.closing);
        if found.closing {
            break;
        }
        open = Some(found.after);
    }
    line.filter(|closing| *closing).map(|_| parts)
}

/// A delimiter line between parts.
struct Delimiter {
    /// The end of the part before it. The line break before the line belongs to the delimiter.
    before: usize,
    /// The start of the part after it.
    after: usize,
    closing: bool,
}

/// The delimiter line at a position. None if `--boundary` is not at the start of a line or is the
/// prefix of a longer word.
fn delimiter(body: &[u8], at: usize, size: usize) -> Option<Delimiter> {
    let before = match &body[..at] {
        [] => 0,
        [.., b'\r', b'\n'] => at - 2,
        [.., b'\n'] => at - 1,
        _ => return None,
    };
    let rest = &body[at + size..];
    let closing = rest.starts_with(b"--");
    let padding = rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let end = match &rest[padding..] {
        [b'\r', b'\n', ..] => padding + 2,
        [b'\n', ..] => padding + 1,
        _ if closing => 2,
        _ => return None,
    };
    let after = at + size + end;
    Some(Delimiter {
        before,
        after,
        closing,
    })
}

fn part(body: &[u8], span: Range<usize>) -> Option<Part> {
    let text = body.get(span.clone())?;
    let (header, content) = header_end(text)?;
    let mut part = Part {
        name: None,
        filename: None,
        content_type: None,
        header: span.start..span.start + header,
        body: span.start + content..span.end,
    };
    for line in String::from_utf8_lossy(&text[..header]).lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.trim().eq_ignore_ascii_case("content-type") {
            part.content_type = Some(value.trim().to_owned());
        } else if name.trim().eq_ignore_ascii_case("content-disposition") {
            let parameters = value.split_once(';').map_or("", |(_, rest)| rest);
            part.name = parameter(parameters, "name");
            part.filename = filename(parameters);
        }
    }
    Some(part)
}

/// The end of the header of a part and the start of its content.
fn header_end(text: &[u8]) -> Option<(usize, usize)> {
    if let Some(width) = line_break(text) {
        return Some((0, width));
    }
    memchr::memchr_iter(b'\n', text).find_map(|at| {
        let width = line_break(&text[at + 1..])?;
        Some((at + 1, at + 1 + width))
    })
}

fn line_break(text: &[u8]) -> Option<usize> {
    match text {
        [b'\r', b'\n', ..] => Some(2),
        [b'\n', ..] => Some(1),
        _ => None,
    }
}

/// The file name. RFC 7578 forbids `filename*`, but clients send it for non-ASCII names (RFC 8187).
fn filename(parameters: &str) -> Option<String> {
    parameter(parameters, "filename").or_else(|| {
        let extended = parameter(parameters, "filename*")?;
        let text = extended.splitn(3, '\'').nth(2)?;
        Some(percent_decode_str(text).decode_utf8_lossy().into_owned())
    })
}

/// The unquoted value of a header parameter.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        let (parameter_name, value) = rest.split_once('=')?;
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let end = value.find(';').unwrap_or(value.len());
                (value[..end].trim().to_owned(), &value[end..])
            }
        };
        if parameter_name.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = after;
    }
}

/// Unquotes a string up to its closing quote and returns the rest. Only escaped quotes and
/// backslashes are decoded: browsers do not escape backslashes in Windows paths.
fn unquote(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => match characters.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, escaped)) => value.push(escaped),
                None => value.push('\\'),
            },
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_boundaries() {
        let cases = [
            ("multipart/form-data; boundary=abc", Some("abc")),
            (
                "Multipart/Mixed; charset=x; BOUNDARY=\"a b;c\"",
                Some("a b;c"),
            ),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("text/plain; boundary=abc", None),
        ];
        for (content_type, expected) in cases {
            assert_eq!(
                boundary(content_type).as_deref(),
                expected,
                "{content_type}"
            );
        }
        assert_eq!(
            boundary(&format!("multipart/x; boundary={}", "b".repeat(201))),
            None
        );
    }

    #[test]
    fn parses_parts() {
        let body = "preamble\r\n--b\r\n\
            Content-Disposition: form-data; name=\"a\\\"b\"\r\n\r\none\r\n\
            two\r\n--bb\r\n--b \r\ncontent-disposition: form-data; filename=\"x.json\"; name=f\r\n\
            Content-Type: application/json\r\n\r\n{}\r\n\
            --b\r\n\r\n\r\n--b--\r\nepilogue\r\n--b\r\n";
        let parts = parse(body.as_bytes(), "b").unwrap();
        let seen: Vec<_> = parts
            .iter()
            .map(|part| {
                let (name, file) = (part.name.as_deref(), part.filename.as_deref());
                (
                    name,
                    file,
                    part.content_type.as_deref(),
                    &body[part.body.clone()],
                )
            })
            .collect();
        let expected = [
            (Some("a\"b"), None, None, "one\r\ntwo\r\n--bb"),
            (Some("f"), Some("x.json"), Some("application/json"), "{}"),
            (None, None, None, ""),
        ];
        assert_eq!(seen, expected);
        assert!(body[parts[1].header.clone()].starts_with("content-disposition"));
        assert!(body[parts[1].header.clone()].ends_with("application/json\r\n"));
    }

    #[test]
    fn accepts_bare_line_feeds_and_extended_names() {
        let body =
            "--b\nContent-Disposition: form-data; name=a; filename*=UTF-8''%C3%A9.txt\n\nx\n--b--";
        let parts = parse(body.as_bytes(), "b").unwrap();
        assert_eq!(parts[0].filename.as_deref(), Some("é.txt"));
        assert_eq!(&body[parts[0].body.clone()], "x");
    }

    #[test]
    fn rejects_malformed_bodies() {
        for body in [
            "",
            "x",
            "--b",
            "--b\r\n\r\nx",
            "--b\r\n\r\nx\r\n--b\r\n",
            "--b\r\nheader only\r\n--b--",
        ] {
            assert_eq!(parse(body.as_bytes(), "b"), None, "{body:?}");
        }
        assert_eq!(parse(b"--b--", "b"), Some(Vec::new()));
    }
}
