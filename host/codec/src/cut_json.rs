//! Reads a JSON text that broke off.

use std::ops::Range;

/// The token that may follow in JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// A value, or the end of an empty array.
    Value,
    /// The name of a member, or the end of an empty object.
    Name,
    Colon,
    /// A comma or the end of the object or array.
    Comma,
}

/// How a JSON text broke off.
pub(crate) struct CutJson {
    /// The suffix that completes it.
    pub(crate) suffix: Vec<u8>,
    /// The last name of each open object or array. Those of arrays are empty.
    pub(crate) names: Vec<Range<usize>>,
}

/// Reads a truncated JSON text (RFC 8259).
pub(crate) fn read(text: &[u8]) -> Option<CutJson> {
    let mut open = Vec::new();
    let mut names: Vec<Range<usize>> = Vec::new();
    let mut next = Expected::Value;
    let mut suffix = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let is_name = next == Expected::Name;
        let end = match byte {
            b'"' => {
                next = if is_name {
                    Expected::Colon
                } else {
                    Expected::Comma
                };
                let (end, missing) = string(text, at + 1);
                suffix = missing;
                if let Some(name) = names.last_mut().filter(|_| is_name) {
                    *name = at..end;
                }
                end
            }
            b'{' | b'[' => {
                names.push(0..0);
                open.push(if *byte == b'{' { b'}' } else { b']' });
                next = first_in(open.last());
                at + 1
            }
            b'}' | b']' => {
                open.pop().filter(|due| due == byte)?;
                names.pop();
                next = Expected::Comma;
                at + 1
            }
            b':' => {
                next = Expected::Value;
                at + 1
            }
            b',' => {
                next = first_in(open.last());
                at + 1
            }
            b' ' | b'\t' | b'\r' | b'\n' => at + 1,
            _ => {
                next = Expected::Comma;
                let (end, missing) = scan_literal(text, at);
                suffix = missing?;
                end
            }
        };
        at = end;
    }
    let empty = matches!(text.trim_ascii_end().last(), Some(b'{' | b'['));
    let needed: &[u8] = match next {
        _ if empty => b"",
        Expected::Value => b"null",
        Expected::Name => b"\"\":null",
        Expected::Colon => b":null",
        Expected::Comma => b"",
    };
    suffix.extend_from_slice(needed);
    suffix.extend(open.iter().rev());
    Some(CutJson { suffix, names })
}

/// What an element of an object or array begins with, given the byte that closes it.
fn first_in(close: Option<&u8>) -> Expected {
    if close == Some(&b'}') {
        Expected::Name
    } else {
        Expected::Value
    }
}

/// The end of a string, given the position after its opening quote, and its missing suffix.
fn string(text: &[u8], mut at: usize) -> (usize, Vec<u8>) {
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return (at + 1, Vec::new()),
            b'\\' => {
                let size = if text.get(at + 1) == Some(&b'u') {
                    6
                } else {
                    2
                };
                let Some(missing) = (at + size).checked_sub(text.len()).filter(|it| *it > 0) else {
                    at += size;
                    continue;
                };
                let filler: &[u8] = if size == 2 { b"\\" } else { b"0000" };
                let mut suffix = filler[filler.len() - missing.min(filler.len())..].to_vec();
                suffix.push(b'"');
                return (text.len(), suffix);
            }
            _ => at += 1,
        }
    }
    (text.len(), b"\"".to_vec())
}

/// The end of a number or literal at a position, and its missing suffix if the text ends with it.
fn scan_literal(text: &[u8], at: usize) -> (usize, Option<Vec<u8>>) {
    let tail = &text[at..];
    let ends = |byte: &u8| b",]} \t\r\n:\"".contains(byte);
    let size = tail.iter().position(ends).unwrap_or(tail.len());
    if at + size < text.len() {
        return (at + size, Some(Vec::new()));
    }
    let words: [&[u8]; 3] = [b"true", b"false", b"null"];
    let word = words.iter().find_map(|word| word.strip_prefix(tail));
    let missing = match tail.last() {
        _ if word.is_some() => word.map(<[u8]>::to_vec),
        Some(b'0'..=b'9') => Some(Vec::new()),
        Some(b'-' | b'+' | b'.' | b'e' | b'E') => Some(b"0".to_vec()),
        Some(_) | None => None,
    };
    (text.len(), missing)
}
