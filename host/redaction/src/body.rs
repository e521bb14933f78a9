//! Redaction of bodies by their format.

use std::ops::Range;

use bytes::Bytes;

use crate::free_text::{TextLocation, map_text};
use crate::pass::{MAX_PASSES, RedactionPass};
use crate::splice::{self, Replacement, TextSplicer};
use ouli_codec::json::Document;
use ouli_codec::multipart;

/// The result of the redaction of a body.
pub(super) struct RedactedBody {
    /// The new bytes, if something changed.
    pub(super) replacement: Option<Bytes>,
    /// The parsed body, if it is JSON and did not change.
    pub(super) document: Option<Document>,
    /// JSON needs no second pass.
    is_json: bool,
}

impl RedactionPass<'_> {
    /// Redacts a body. Bytes that are not text stay unchanged.
    pub(super) fn redact_body(&mut self, content_type: Option<&str>, body: &Bytes) -> RedactedBody {
        let mut result = RedactedBody {
            replacement: None,
            document: None,
            is_json: false,
        };
        // Without a secret the rest may parse differently, so a changed body is redacted again.
        for _ in 0..MAX_PASSES {
            let redacted = self.redact_body_at(
                content_type,
                result.replacement.as_ref().unwrap_or(body),
                LEVELS,
            );
            result.document = redacted.document;
            let changed = redacted.replacement.is_some();
            result.replacement = redacted.replacement.or(result.replacement);
            if !changed || redacted.is_json {
                break;
            }
        }
        result
    }

    fn redact_body_at(
        &mut self,
        content_type: Option<&str>,
        body: &Bytes,
        levels: u8,
    ) -> RedactedBody {
        if body.is_empty() {
            return RedactedBody::new(None);
        }
        let format = BodyFormat::of(content_type.unwrap_or_default());
        let new = match format {
            // `curl -d` names JSON a form.
            BodyFormat::UrlEncoded if is_json_or_lines(body) => {
                return self.redact_text(body, &BodyFormat::Text, levels);
            }
            BodyFormat::UrlEncoded => map_text(body, |text| self.redact_form(text)),
            BodyFormat::Multipart(ref boundary) if levels > 0 => {
                let parts = multipart::parse(body, boundary);
                return match parts {
                    Some(parts) => {
                        RedactedBody::new(self.redact_multipart(body, &parts, levels - 1))
                    }
                    None => self.redact_text(body, &BodyFormat::Other, levels),
                };
            }
            BodyFormat::Json | BodyFormat::Text | BodyFormat::Multipart(_) | BodyFormat::Other => {
                return self.redact_text(body, &format, levels);
            }
        };
        RedactedBody::new(new)
    }

    /// Redacts a body that may be JSON. Without a text content type it must be UTF-8.
    fn redact_text(&mut self, body: &Bytes, format: &BodyFormat, levels: u8) -> RedactedBody {
        if !body.starts_with(BYTE_ORDER_MARK) {
            return self.redact_unmarked_text(body, format, levels);
        }
        // A second mark is a character.
        let rest = body.slice(BYTE_ORDER_MARK.len()..);
        let redacted = self.redact_unmarked_text(&rest, format, levels);
        let new = redacted.replacement;
        RedactedBody {
            replacement: new.map(|new| [BYTE_ORDER_MARK, &new].concat().into()),
            // Its positions are those of the rest.
            document: None,
            is_json: redacted.is_json,
        }
    }

    fn redact_unmarked_text(
        &mut self,
        body: &Bytes,
        format: &BodyFormat,
        levels: u8,
    ) -> RedactedBody {
        let utf8 = std::str::from_utf8(body);
        if let Ok(text) = utf8
            && (*format == BodyFormat::Json || text.trim_start().starts_with(['{', '[', '"']))
            && let Some(document) = Document::parse(body.clone())
        {
            let new = self.redact_json(&document, levels).map(Bytes::from);
            let document = new.is_none().then_some(document);
            return RedactedBody {
                replacement: new,
                document,
                is_json: true,
            };
        }
        if utf8.is_err() && !format.is_text() {
            return RedactedBody::new(None);
        }
        RedactedBody::new(map_text(body, |text| self.redact_lines(text, levels)))
    }

    /// Redacts lines that are JSON, also after the `data:` of an event, as JSON. The lines between
    /// two of them are redacted as one text.
    fn redact_lines(&mut self, text: &str, levels: u8) -> Option<String> {
        let mut out = TextSplicer::new(text);
        let (mut plain_start, mut start) = (0, 0);
        for line in text.split_inclusive('\n') {
            let from = start;
            start += line.len();
            let Some((offset, document)) = json_in_line(line) else {
                continue;
            };
            self.redact_plain(text, plain_start..from, levels, &mut out);
            plain_start = start;
            if let Some(new) = self.redact_json(&document, levels) {
                let at = from + offset;
                out.replace(at..at + document.text().len(), &new);
            }
        }
        if plain_start == 0 {
            return self.redact_free_text(text, TextLocation::of_body(text), levels);
        }
        self.redact_plain(text, plain_start..text.len(), levels, &mut out);
        let new = out.finish();
        self.redact_across_lines(new.as_deref().unwrap_or(text))
            .or(new)
    }

    /// Redacts known secrets that extend over several lines or parts.
    fn redact_across_lines(&mut self, text: &str) -> Option<String> {
        self.replace_known_secrets(text, TextLocation::of_body(text))
    }

    fn redact_plain(
        &mut self,
        text: &str,
        range: Range<usize>,
        levels: u8,
        out: &mut TextSplicer<'_>,
    ) {
        let location = TextLocation::of_body(text);
        if let Some(new) = self.redact_free_text(&text[range.clone()], location, levels) {
            out.replace(range, &new);
        }
    }

    fn redact_multipart(
        &mut self,
        body: &Bytes,
        parts: &[multipart::Part],
        levels: u8,
    ) -> Option<Vec<u8>> {
        let mut replacements = Vec::new();
        let mut copied_to = 0;
        for part in parts {
            self.redact_between_parts(body, copied_to..part.header.end, &mut replacements);
            copied_to = part.body.end;
            let content = body.slice(part.body.clone());
            let rule = part
                .name
                .as_deref()
                .and_then(|name| self.rules.form.get(name))
                .filter(|rule| rule.applies_to(&content));
            let new = match rule {
                Some(rule) => self.placeholder_for(rule, &content).map(Bytes::from),
                None => {
                    self.redact_body_at(part.content_type.as_deref(), &content, levels)
                        .replacement
                }
            };
            replacements.extend(new.map(|new| Replacement::new(part.body.clone(), new.to_vec())));
        }
        self.redact_between_parts(body, copied_to..body.len(), &mut replacements);
        let new = splice::bytes(body, replacements);
        // Bytes that are not text stay unchanged.
        let text = std::str::from_utf8(new.as_deref().unwrap_or(body)).ok();
        let across = text.and_then(|text| self.redact_across_lines(text));
        across.map(String::into_bytes).or(new)
    }

    /// Redacts the headers of parts, the preamble and the epilogue.
    fn redact_between_parts(
        &mut self,
        body: &Bytes,
        range: Range<usize>,
        replacements: &mut Vec<Replacement<Vec<u8>>>,
    ) {
        let new = map_text(&body[range.clone()], |text| {
            self.redact_free_text(text, TextLocation::Body, 0)
        });
        replacements.extend(new.map(|new| Replacement::new(range, new)));
    }
}

impl RedactedBody {
    fn new(replacement: Option<Vec<u8>>) -> Self {
        Self {
            replacement: replacement.map(Bytes::from),
            document: None,
            is_json: false,
        }
    }
}

/// The byte order mark of UTF-8, which some programs write before JSON (RFC 8259, section 8.1).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Maximum nesting of JSON in strings and of bodies in multipart parts.
const LEVELS: u8 = 1;

/// True if a body is JSON or has a line of JSON, whatever its content type.
fn is_json_or_lines(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else {
        return false;
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
    text.starts_with(['{', '['])
        && (Document::parse(Bytes::copy_from_slice(text.as_bytes())).is_some()
            || text.lines().any(|line| json_in_line(line).is_some()))
}

fn json_in_line(line: &str) -> Option<(usize, Document)> {
    let json = line.strip_prefix("data:").unwrap_or(line).trim();
    if !json.starts_with(['{', '[']) {
        return None;
    }
    let offset = line.find(json)?;
    let document = Document::parse(Bytes::copy_from_slice(json.as_bytes()))?;
    Some((offset, document))
}

/// The format of a body by its content type.
#[derive(Debug, PartialEq, Eq)]
enum BodyFormat {
    /// `application/x-www-form-urlencoded`.
    UrlEncoded,
    /// Multipart with this boundary.
    Multipart(String),
    /// JSON.
    Json,
    /// Other text, not necessarily UTF-8.
    Text,
    /// Anything else.
    Other,
}

impl BodyFormat {
    fn of(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let essence = essence.to_ascii_lowercase();
        if essence == "application/x-www-form-urlencoded" {
            return Self::UrlEncoded;
        }
        if let Some(boundary) = multipart::boundary(content_type) {
            return Self::Multipart(boundary);
        }
        if essence.ends_with("json") {
            return Self::Json;
        }
        let text = essence.starts_with("text/")
            || ["xml", "javascript", "yaml"]
                .iter()
                .any(|end| essence.ends_with(end));
        if text { Self::Text } else { Self::Other }
    }

    fn is_text(&self) -> bool {
        match self {
            Self::UrlEncoded | Self::Json | Self::Text => true,
            Self::Multipart(_) | Self::Other => false,
        }
    }
}
