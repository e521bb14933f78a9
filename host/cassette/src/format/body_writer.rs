//! Bodies to text: the very JSON text, text line by line, base64, or the name of a file.

use base64::{Engine, engine::general_purpose::STANDARD};
use memchr::memmem;
use serde_json::Value;
use serde_json::value::RawValue;

use super::decode::BOUNDARY;
use super::json_writer::JsonWriter;
use ouli_message::Content;

/// Writes the member `body`; nothing where the body is empty.
pub(super) fn write(page: &mut JsonWriter<'_>, content: &Content, folder: &str) {
    if matches!(content, Content::Inline(bytes) if bytes.is_empty()) {
        return;
    }
    page.open("body", b'{');
    write_members(page, content, folder);
    page.close(b'}');
}

/// Writes the members of a body into the object that is open; none where the body is empty.
pub(super) fn write_members(page: &mut JsonWriter<'_>, content: &Content, folder: &str) {
    let bytes = match content {
        Content::Inline(bytes) if bytes.is_empty() => return,
        Content::Inline(bytes) => bytes,
        Content::Stored { digest, size } => {
            page.string("file", &format!("{folder}/{digest}"));
            return page.number("size", *size);
        }
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => match EmbeddedJson::of(text) {
            Some(embedded) => embedded.write(page),
            None => write_text(page, text),
        },
        Err(_) => page.string("base64", &STANDARD.encode(bytes)),
    }
}

/// True for the white space of JSON (RFC 8259, section 2).
pub(super) fn is_json_whitespace(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

/// JSON text that can stand in a cassette as it is, and the white space around it.
struct EmbeddedJson<'a> {
    before: &'a str,
    json: &'a str,
    after: &'a str,
}

impl<'a> EmbeddedJson<'a> {
    /// None where the text is no JSON object or array, is nested too deep for other readers, has
    /// half of a surrogate pair, which some of them refuse, or holds what a reader would take for
    /// the start of an exchange.
    fn of(text: &'a str) -> Option<Self> {
        let start = text.len() - text.trim_start_matches(is_json_whitespace).len();
        let (before, rest) = text.split_at(start);
        let (json, after) = rest.split_at(rest.trim_end_matches(is_json_whitespace).len());
        let fits = json.starts_with(['{', '['])
            && json_depth(json) <= MAX_DEPTH
            && memmem::find(json.as_bytes(), BOUNDARY).is_none()
            && serde_json::from_str::<&RawValue>(json).is_ok()
            && !may_have_lone_surrogate(json);
        fits.then_some(Self {
            before,
            json,
            after,
        })
    }

    fn write(&self, page: &mut JsonWriter<'_>) {
        if !self.before.is_empty() {
            page.string("before", self.before);
        }
        page.raw("json", self.json);
        if !self.after.is_empty() {
            page.string("after", self.after);
        }
    }
}

fn write_text(page: &mut JsonWriter<'_>, text: &str) {
    if text.split_inclusive('\n').nth(1).is_none() {
        return page.string("text", text);
    }
    page.open("text", b'[');
    text.split_inclusive('\n').for_each(|line| page.item(line));
    page.close(b']');
}

/// False where every surrogate that is escaped has its other half (RFC 8259, section 7).
fn may_have_lone_surrogate(json: &str) -> bool {
    let escaped = [&b"\\ud"[..], b"\\uD"].map(|it| memmem::find(json.as_bytes(), it));
    escaped.iter().any(Option::is_some) && serde_json::from_str::<Value>(json).is_err()
}

/// How deep JSON text is nested; of other text, any number.
fn json_depth(json: &str) -> usize {
    let (mut now, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// JSON readers commonly stop at 128 or 256 levels, and an exchange adds up to four of its own.
const MAX_DEPTH: usize = 100;
