//! Secrets in bodies, by what a body is.

use std::ops::Range;

use bytes::Bytes;

use crate::free_text::{TextLocation, map_text};
use crate::pass::{MAX_PASSES, RedactionPass};
use crate::splice::{self, Replacement};
use ouli_codec::json::Document;
use ouli_codec::multipart;

/// A body that was looked at.
pub(super) struct RedactedBody {
    /// The new bytes, where something changed.
    pub(super) replacement: Option<Bytes>,
    /// What it is now, parsed, where that was needed and it is JSON.
    pub(super) document: Option<Document>,
    /// It is JSON, which settles at once.
    is_json: bool,
}

impl RedactionPass<'_> {
    /// A body without its secrets. Bytes that are no text stay as they are.
    pub(super) fn redact_body(&mut self, content_type: Option<&str>, body: &Bytes) -> RedactedBody {
        let mut settled = RedactedBody {
            replacement: None,
            document: None,
            is_json: false,
        };
        // What was cut off by a secret may have a meaning of its own, so changes are looked at too.
        for _ in 0..MAX_PASSES {
            let looked = self.redact_body_at(
                content_type,
                settled.replacement.as_ref().unwrap_or(body),
                LEVELS,
            );
            settled.document = looked.document;
            let changed = looked.replacement.is_some();
            settled.replacement = looked.replacement.or(settled.replacement);
            if !changed || looked.is_json {
                break;
            }
        }
        settled
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
        let form = BodyFormat::of(content_type.unwrap_or_default());
        let new = match form {
            BodyFormat::UrlEncoded => map_text(body, |text| self.form(text)),
            BodyFormat::Multipart(ref boundary) if levels > 0 => {
                let parts = multipart::parse(body, boundary);
                return match parts {
                    Some(parts) => RedactedBody::new(self.parts(body, &parts, levels - 1)),
                    None => self.text(body, &BodyFormat::Other, levels),
                };
            }
            BodyFormat::Json | BodyFormat::Text | BodyFormat::Multipart(_) | BodyFormat::Other => {
                return self.text(body, &form, levels);
            }
        };
        RedactedBody::new(new)
    }

    /// A body that may be JSON. One that does not claim to be text has to be UTF-8.
    fn text(&mut self, body: &Bytes, form: &BodyFormat, levels: u8) -> RedactedBody {
        let utf8 = std::str::from_utf8(body);
        if let Ok(text) = utf8
            && (*form == BodyFormat::Json || text.trim_start().starts_with(['{', '[', '"']))
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
        if utf8.is_err() && !form.is_text() {
            return RedactedBody::new(None);
        }
        RedactedBody::new(map_text(body, |text| self.lines(text, levels)))
    }

    /// Lines that are JSON, also behind the `data:` of an event, are handled as such; all that
    /// stands between two of them is one text.
    fn lines(&mut self, text: &str, levels: u8) -> Option<String> {
        let mut pieces = Vec::new();
        let (mut plain, mut start) = (0, 0);
        for line in text.split_inclusive('\n') {
            let from = start;
            start += line.len();
            let Some((offset, document)) = json_in_line(line) else {
                continue;
            };
            self.plain(text, plain..from, levels, &mut pieces);
            plain = start;
            if let Some(new) = self.redact_json(&document, levels) {
                let at = from + offset;
                pieces.push(Replacement::new(at..at + document.text().len(), new));
            }
        }
        let is_one_text = plain == 0;
        self.plain(text, plain..text.len(), levels, &mut pieces);
        let new = splice::text(text, pieces);
        if is_one_text {
            return new;
        }
        self.redact_across_lines(new.as_deref().unwrap_or(text))
            .or(new)
    }

    /// Secrets that begin in one piece and end in another.
    fn redact_across_lines(&mut self, text: &str) -> Option<String> {
        let pieces = self.known(text, TextLocation::Body);
        splice::text(text, pieces)
    }

    fn plain(
        &mut self,
        text: &str,
        range: Range<usize>,
        levels: u8,
        pieces: &mut Vec<Replacement<String>>,
    ) {
        let new = self.redact_free_text(&text[range.clone()], TextLocation::Body, levels);
        pieces.extend(new.map(|new| Replacement::new(range, new)));
    }

    fn parts(&mut self, body: &Bytes, parts: &[multipart::Part], levels: u8) -> Option<Vec<u8>> {
        let mut pieces = Vec::new();
        let mut done = 0;
        for part in parts {
            self.between(body, done..part.header.end, &mut pieces);
            done = part.body.end;
            let content = body.slice(part.body.clone());
            let rule = part
                .name
                .as_deref()
                .and_then(|name| self.rules.form.get(name));
            let new = match rule {
                Some(rule) => self.placeholder_for(rule, &content).map(Bytes::from),
                None => {
                    self.redact_body_at(part.content_type.as_deref(), &content, levels)
                        .replacement
                }
            };
            pieces.extend(new.map(|new| Replacement::new(part.body.clone(), new.to_vec())));
        }
        self.between(body, done..body.len(), &mut pieces);
        let new = splice::bytes(body, pieces);
        // What is no text stays as it is.
        let text = std::str::from_utf8(new.as_deref().unwrap_or(body)).ok();
        let across = text.and_then(|text| self.redact_across_lines(text));
        across.map(String::into_bytes).or(new)
    }

    /// Headers of parts, and what stands before the first and behind the last one.
    fn between(
        &mut self,
        body: &Bytes,
        range: Range<usize>,
        pieces: &mut Vec<Replacement<Vec<u8>>>,
    ) {
        let new = map_text(&body[range.clone()], |text| {
            self.redact_free_text(text, TextLocation::Body, 0)
        });
        pieces.extend(new.map(|new| Replacement::new(range, new)));
    }
}

impl RedactedBody {
    fn new(new: Option<Vec<u8>>) -> Self {
        let new = new.map(Bytes::from);
        Self {
            replacement: new,
            document: None,
            is_json: false,
        }
    }
}

/// How deep JSON in strings and bodies in parts are followed.
const LEVELS: u8 = 1;

fn json_in_line(line: &str) -> Option<(usize, Document)> {
    let json = line.strip_prefix("data:").unwrap_or(line).trim();
    if !json.starts_with(['{', '[']) {
        return None;
    }
    let offset = line.find(json)?;
    let document = Document::parse(Bytes::copy_from_slice(json.as_bytes()))?;
    Some((offset, document))
}

/// What a content type says about the form of a body.
#[derive(Debug, PartialEq, Eq)]
enum BodyFormat {
    /// `application/x-www-form-urlencoded`.
    UrlEncoded,
    /// Multipart, with this boundary.
    Multipart(String),
    /// JSON.
    Json,
    /// Text of some other kind, even where it is no UTF-8.
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
