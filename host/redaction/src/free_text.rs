//! Redaction of text of unknown format by names, patterns and known secrets.

use std::borrow::Cow;

use bytes::Bytes;

use crate::pass::{Purpose, RedactionPass};
use crate::rule::Rule;
use crate::splice::TextSplicer;
use crate::{name_value_pairs, placeholder};
use ouli_codec::form;
use ouli_codec::json::Document;

/// Where a text is in a message: decides how placeholders are encoded and what is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextLocation {
    /// A body or a string in it.
    Body,
    /// A body that is XML or HTML, in which `<` would start a tag.
    Markup,
    /// A header that is not a URL.
    Header,
    /// A header that is a URL.
    UrlHeader,
    /// The target of a request or a form. Its pairs are redacted by `redact_pairs`.
    UrlEncoded,
}

impl TextLocation {
    pub(super) fn of_header(name: &str) -> Self {
        match name {
            "location" | "content-location" | "referer" | "operation-location" => Self::UrlHeader,
            _ => Self::Header,
        }
    }

    /// The location of a whole body that is text.
    pub(super) fn of_body(text: &str) -> Self {
        let text = text.trim();
        // A text that ends with a secret is no document, nor is it one with a placeholder instead.
        let is_enclosed =
            text.starts_with('<') && text.ends_with('>') && !placeholder::is_at_end(text);
        // A placeholder alone is no document.
        if is_enclosed && (text.contains("</") || text.contains("/>")) {
            Self::Markup
        } else {
            Self::Body
        }
    }

    fn is_body(self) -> bool {
        matches!(self, Self::Body | Self::Markup)
    }

    /// True if placeholders are percent-encoded.
    fn is_encoded(self) -> bool {
        match self {
            Self::UrlHeader | Self::UrlEncoded | Self::Markup => true,
            Self::Body | Self::Header => false,
        }
    }
}

impl RedactionPass<'_> {
    /// Redacts a text. A text that is JSON is parsed, up to `levels` deep. None if nothing changes.
    pub(super) fn redact_free_text(
        &mut self,
        text: &str,
        location: TextLocation,
        levels: u8,
    ) -> Option<String> {
        if levels > 0 && text.trim_start().starts_with(['{', '[']) {
            let json = Document::parse(Bytes::copy_from_slice(text.as_bytes()));
            if let Some(json) = json {
                return self.redact_json(&json, levels - 1);
            }
        }
        let mut text = Cow::Borrowed(text);
        if location.is_body() {
            self.replace(&mut text, |pass, text| pass.replace_members(text, location));
        }
        if location != TextLocation::UrlEncoded {
            self.replace(&mut text, |pass, text| pass.replace_pairs(text, location));
        }
        self.replace(&mut text, Self::replace_userinfo);
        self.replace(&mut text, |pass, text| pass.replace_matches(text, location));
        self.replace(&mut text, |pass, text| {
            pass.replace_known_secrets(text, location)
        });
        self.rewrite_placeholders(&mut text, location);
        match text {
            Cow::Borrowed(_) => None,
            Cow::Owned(text) => Some(text),
        }
    }

    fn replace(
        &mut self,
        text: &mut Cow<'_, str>,
        replaced: impl FnOnce(&mut Self, &str) -> Option<String>,
    ) {
        if let Some(new) = replaced(self, text) {
            *text = Cow::Owned(new);
        }
    }

    fn replace_members(&mut self, text: &str, location: TextLocation) -> Option<String> {
        let members = self.rules.members.as_ref()?;
        let mut out = TextSplicer::new(text);
        for member in name_value_pairs::members(text) {
            if let Some(rule) = members.get(member.name)
                && let Some((range, quote)) = member.value(text)
                && let Some(new) = self.placeholder_for(rule, text[range.clone()].as_bytes())
            {
                let new = match location {
                    TextLocation::Markup => placeholder::encoded(&new),
                    _ => new,
                };
                out.replace(range, &format!("{quote}{new}{quote}"));
            }
        }
        out.finish()
    }

    fn replace_pairs(&mut self, text: &str, location: TextLocation) -> Option<String> {
        let mut out = TextSplicer::new(text);
        for (name, range) in name_value_pairs::pairs(text, location.is_body()) {
            let value = &text[range.clone()];
            if let Some(new) = self.placeholder_for_pair(name, value) {
                out.replace(range, &new);
            }
        }
        out.finish()
    }

    /// The placeholder for the value of a query parameter or form field.
    pub(super) fn placeholder_for_pair(&mut self, name: &str, value: &str) -> Option<String> {
        let name = form::decode(name.as_bytes());
        let (query, form) = (&self.rules.query, &self.rules.form);
        let rule = query.get(&name).or_else(|| form.get(&name))?;
        self.placeholder_in_url(rule, value)
    }

    fn replace_userinfo(&mut self, text: &str) -> Option<String> {
        let rule = self.rules.userinfo.as_ref()?;
        let mut out = TextSplicer::new(text);
        for range in name_value_pairs::userinfo(text) {
            if let Some(new) = self.placeholder_in_url(rule, &text[range.clone()]) {
                out.replace(range, &new);
            }
        }
        out.finish()
    }

    fn placeholder_in_url(&mut self, rule: &Rule, value: &str) -> Option<String> {
        let value = form::decode(value.as_bytes());
        let new = self.placeholder_for(rule, value.as_bytes())?;
        Some(placeholder::encoded(&new))
    }

    fn replace_matches(&mut self, text: &str, location: TextLocation) -> Option<String> {
        let rules = self.rules;
        let mut out = TextSplicer::new(text);
        for (range, rule) in rules.patterns.find(text) {
            let value = &text[range.clone()];
            if !self.holds_placeholder(value) {
                let new = self.placeholder_for_match(rule, value.as_bytes());
                let new = encode_placeholder(&new, text, range.start, location);
                out.replace(range, &new);
            }
        }
        out.finish()
    }

    /// A value that holds a placeholder is redacted already.
    fn holds_placeholder(&self, value: &str) -> bool {
        match self.purpose {
            Purpose::Write | Purpose::Holes => {
                placeholder::is_placeholder(value.as_bytes())
                    || placeholder::find_all(value).next().is_some()
            }
            Purpose::Key => placeholder::holds_any(value),
        }
    }

    /// Replaces known secrets. None if there are none.
    pub(super) fn replace_known_secrets(
        &mut self,
        text: &str,
        location: TextLocation,
    ) -> Option<String> {
        let mut out = TextSplicer::new(text);
        let searcher = self.secrets.searcher_for(text.len());
        searcher.find_each(text.as_bytes(), |hit| {
            let new = self.placeholder_for_known(&hit.secret);
            let start = text.floor_char_boundary(hit.range.start);
            let end = text.ceil_char_boundary(hit.range.end);
            out.replace(start..end, &encode_placeholder(&new, text, start, location));
        });
        out.finish()
    }

    /// Reduces placeholders to their class, or makes holes of them.
    fn rewrite_placeholders(&self, text: &mut Cow<'_, str>, location: TextLocation) {
        let in_url = location.is_encoded();
        let new = match (self.purpose, self.identities) {
            (Purpose::Write, _) | (Purpose::Holes, None) => return,
            (Purpose::Holes, Some(identities)) => {
                placeholder::rewrite(text, in_url, |found| identities.hole_for_placeholder(found))
            }
            (Purpose::Key, identities) => placeholder::rewrite(text, in_url, |found| {
                let of_hole = identities.and_then(|identities| identities.class_of(found));
                let class = of_hole.as_deref().unwrap_or(found.class);
                Some(placeholder::unnumbered(class))
            }),
        };
        if let Cow::Owned(new) = new {
            *text = Cow::Owned(new);
        }
    }
}

fn encode_placeholder(
    placeholder: &str,
    text: &str,
    start: usize,
    location: TextLocation,
) -> String {
    if location.is_encoded() || within_url(text, start) {
        return placeholder::encoded(placeholder);
    }
    placeholder.to_owned()
}

fn within_url(text: &str, at: usize) -> bool {
    let before = &text[text.floor_char_boundary(at.saturating_sub(MAX_URL))..at];
    let ends = |c: char| c.is_whitespace() || "\"'<>\\`".contains(c);
    before.rsplit(ends).next().unwrap_or(before).contains("://")
}

/// Longer URLs are not recognised.
const MAX_URL: usize = 4096;

/// Changes bytes as text. Invalid UTF-8 is decoded as Latin-1, which maps each byte to a character
/// and back.
pub(super) fn map_text(
    bytes: &[u8],
    change: impl FnOnce(&str) -> Option<String>,
) -> Option<Vec<u8>> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return change(text).map(String::into_bytes);
    }
    let text: String = bytes.iter().copied().map(char::from).collect();
    let new = change(&text)?;
    let mut out = Vec::with_capacity(new.len());
    for character in new.chars() {
        match u8::try_from(character) {
            Ok(byte) => out.push(byte),
            Err(_) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Some(out)
}
