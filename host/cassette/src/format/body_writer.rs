//! Writes a body: as verbatim JSON, as lines of text, as base64, or as a file name.

use base64::{Engine, engine::general_purpose::STANDARD};
use memchr::memmem;
use serde_json::Value;
use serde_json::value::RawValue;

use super::boundary;
use super::json_writer::JsonWriter;
use ouli_message::Content;

/// Writes the member `name`, unless the body is empty.
pub(super) fn write(writer: &mut JsonWriter<'_>, name: &str, content: &Content, folder: &str) {
    if matches!(content, Content::Inline(bytes) if bytes.is_empty()) {
        return;
    }
    writer.open(name, b'{');
    write_members(writer, content, folder);
    writer.close(b'}');
}

/// Writes the members of a body into the open object, unless the body is empty.
pub(super) fn write_members(writer: &mut JsonWriter<'_>, content: &Content, folder: &str) {
    let bytes = match content {
        Content::Inline(bytes) if bytes.is_empty() => return,
        Content::Inline(bytes) => bytes,
        Content::Stored { digest, size } => {
            writer.string("file", &format!("{folder}/{digest}"));
            return writer.number("size", *size);
        }
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => match EmbeddedJson::parse(text) {
            Some(embedded) => embedded.write(writer),
            None => write_text(writer, text),
        },
        Err(_) => writer.string("base64", &STANDARD.encode(bytes)),
    }
}

/// True for the white space of JSON (RFC 8259, section 2).
pub(super) fn is_json_whitespace(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

/// JSON text that can be written verbatim, and the white space around it.
struct EmbeddedJson<'a> {
    before: &'a str,
    json: &'a str,
    after: &'a str,
}

impl<'a> EmbeddedJson<'a> {
    /// `None` if the text is not a JSON object or array, or if a reader could fail on it: nested
    /// too deep, with a lone surrogate, or with a boundary between exchanges.
    fn parse(text: &'a str) -> Option<Self> {
        let start = text.len() - text.trim_start_matches(is_json_whitespace).len();
        let (before, rest) = text.split_at(start);
        let (json, after) = rest.split_at(rest.trim_end_matches(is_json_whitespace).len());
        let embeddable = json.starts_with(['{', '['])
            && json_depth(json) <= MAX_DEPTH
            && boundary::find_start(json.as_bytes()).is_none()
            && serde_json::from_str::<&RawValue>(json).is_ok()
            && !may_have_lone_surrogate(json);
        embeddable.then_some(Self {
            before,
            json,
            after,
        })
    }

    fn write(&self, writer: &mut JsonWriter<'_>) {
        if !self.before.is_empty() {
            writer.string("before", self.before);
        }
        writer.raw("json", self.json);
        if !self.after.is_empty() {
            writer.string("after", self.after);
        }
    }
}

fn write_text(writer: &mut JsonWriter<'_>, text: &str) {
    if text.split_inclusive('\n').nth(1).is_none() {
        return writer.string("text", text);
    }
    writer.open("text", b'[');
    items(text).for_each(|item| writer.item(item));
    writer.close(b']');
}

/// Empty lines in a row that are items of their own.
const MAX_EMPTY: usize = 32;

/// The lines of a text. Of many empty ones in a row, the last item has all that are left: an item
/// takes more than ten bytes.
fn items(text: &str) -> impl Iterator<Item = &str> {
    let (mut rest, mut empty) = (text, 0);
    std::iter::from_fn(move || {
        let line = rest.split_inclusive('\n').next()?;
        empty = if line == "\n" { empty + 1 } else { 0 };
        let size = match empty > MAX_EMPTY {
            true => rest.len() - rest.trim_start_matches('\n').len(),
            false => line.len(),
        };
        let (item, after) = rest.split_at(size);
        rest = after;
        Some(item)
    })
}

/// False if every escaped surrogate is part of a pair (RFC 8259, section 7).
fn may_have_lone_surrogate(json: &str) -> bool {
    let escaped = [&b"\\ud"[..], b"\\uD"].map(|it| memmem::find(json.as_bytes(), it));
    escaped.iter().any(Option::is_some) && serde_json::from_str::<Value>(json).is_err()
}

/// The nesting depth of JSON text; the result for other text is arbitrary.
fn json_depth(json: &str) -> usize {
    let (mut depth, mut max_depth, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => {
                depth += 1;
                max_depth = max_depth.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    max_depth
}

/// Common JSON readers stop at 128 or 256 levels, and an exchange adds up to four levels of its
/// own.
const MAX_DEPTH: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_empty_lines_are_one_item() {
        let count = |text: &str| {
            let joined: String = items(text).collect();
            assert_eq!(joined, text);
            items(text).count()
        };
        assert_eq!(count("a\n\nb"), 3);
        assert_eq!(count(&"\n".repeat(MAX_EMPTY)), MAX_EMPTY);
        assert_eq!(count(&("\n".repeat(1000) + "b\n\n")), MAX_EMPTY + 3);
    }
}
