//! Secrets in text of no particular form: whatever names, patterns and known values tell.

use std::borrow::Cow;

use bytes::Bytes;

use crate::pass::{Purpose, RedactionPass};
use crate::rule::Rule;
use crate::splice::{self, Replacement};
use crate::{name_value_pairs, placeholder};
use ouli_codec::form;
use ouli_codec::json::Document;

/// Where a text stands. It decides how placeholders are written and what is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextLocation {
    /// In a body, or in a string of one.
    Body,
    /// In a header of any kind.
    Header,
    /// In a header that is a URL.
    UrlHeader,
    /// In the target of a request or in a form: its pairs are looked at by those who know them.
    UrlEncoded,
}

impl TextLocation {
    pub(super) fn of_header(name: &str) -> Self {
        match name {
            "location" | "content-location" | "referer" | "operation-location" => Self::UrlHeader,
            _ => Self::Header,
        }
    }

    fn is_url(self) -> bool {
        match self {
            Self::UrlHeader | Self::UrlEncoded => true,
            Self::Body | Self::Header => false,
        }
    }
}

impl RedactionPass<'_> {
    /// Takes the secrets out of a text. JSON within it is parsed through so many `levels`. None
    /// where nothing changes.
    pub(super) fn redact_free_text(
        &mut self,
        text: &str,
        place: TextLocation,
        levels: u8,
    ) -> Option<String> {
        if levels > 0 && text.trim_start().starts_with(['{', '[']) {
            let json = Document::parse(Bytes::copy_from_slice(text.as_bytes()));
            if let Some(json) = json {
                return self.redact_json(&json, levels - 1);
            }
        }
        let mut text = Cow::Borrowed(text);
        if place == TextLocation::Body {
            self.replace(&mut text, |run, text| run.loose_members(text));
        }
        if place != TextLocation::UrlEncoded {
            self.replace(&mut text, |run, text| run.loose_pairs(text, place));
        }
        self.replace(&mut text, Self::userinfo);
        self.replace(&mut text, |run, text| run.patterns(text, place));
        self.replace(&mut text, |run, text| run.known(text, place));
        self.collapse_to_class(&mut text, place);
        match text {
            Cow::Borrowed(_) => None,
            Cow::Owned(text) => Some(text),
        }
    }

    fn replace(
        &mut self,
        text: &mut Cow<'_, str>,
        find: impl FnOnce(&mut Self, &str) -> Vec<Replacement<String>>,
    ) {
        let pieces = find(self, text);
        if let Some(new) = splice::text(text, pieces) {
            *text = Cow::Owned(new);
        }
    }

    fn loose_members(&mut self, text: &str) -> Vec<Replacement<String>> {
        let Some(members) = &self.rules.members else {
            return Vec::new();
        };
        let keys = name_value_pairs::members(text).filter_map(|key| {
            let rule = members.get(key.name)?;
            let (range, quote) = key.value(text)?;
            let new = self.placeholder_for(rule, text[range.clone()].as_bytes())?;
            Some(Replacement::new(range, format!("{quote}{new}{quote}")))
        });
        keys.collect()
    }

    fn loose_pairs(&mut self, text: &str, place: TextLocation) -> Vec<Replacement<String>> {
        let pairs = name_value_pairs::pairs(text, place == TextLocation::Body);
        let pairs = pairs.filter_map(|(name, range)| self.replace_pair(name, text, range));
        pairs.collect()
    }

    /// What comes in the place of the value of a parameter or a field of a form.
    pub(super) fn replace_pair(
        &mut self,
        name: &str,
        text: &str,
        range: std::ops::Range<usize>,
    ) -> Option<Replacement<String>> {
        let name = form::decode(name.as_bytes());
        let (query, form) = (&self.rules.query, &self.rules.form);
        let rule = query.get(&name).or_else(|| form.get(&name))?;
        self.in_url(rule, text, range)
    }

    fn userinfo(&mut self, text: &str) -> Vec<Replacement<String>> {
        let Some(rule) = &self.rules.userinfo else {
            return Vec::new();
        };
        let places = name_value_pairs::userinfo(text).into_iter();
        places
            .filter_map(|range| self.in_url(rule, text, range))
            .collect()
    }

    fn in_url(
        &mut self,
        rule: &Rule,
        text: &str,
        range: std::ops::Range<usize>,
    ) -> Option<Replacement<String>> {
        let value = form::decode(text[range.clone()].as_bytes());
        let new = self.placeholder_for(rule, value.as_bytes())?;
        Some(Replacement::new(range, placeholder::encoded(&new)))
    }

    fn patterns(&mut self, text: &str, place: TextLocation) -> Vec<Replacement<String>> {
        let found = self.rules.patterns.find(text).into_iter();
        let pieces = found.filter_map(|(range, rule)| {
            let value = &text[range.clone()];
            if self.holds_placeholder(value) {
                return None;
            }
            let new = self.placeholder_for_match(rule, value.as_bytes());
            Some(Replacement::new(
                range.clone(),
                encode_placeholder(&new, text, range.start, place),
            ))
        });
        pieces.collect()
    }

    /// What holds a placeholder was taken out before.
    fn holds_placeholder(&self, value: &str) -> bool {
        match self.purpose {
            Purpose::Write => {
                placeholder::is_placeholder(value.as_bytes())
                    || placeholder::find_all(value).next().is_some()
            }
            Purpose::Key => placeholder::holds_any(value),
        }
    }

    /// What comes in the place of secrets that are known.
    pub(super) fn known(&mut self, text: &str, place: TextLocation) -> Vec<Replacement<String>> {
        let hits = self.secrets.searcher().find(text.as_bytes()).into_iter();
        let pieces = hits.map(|hit| {
            let new = self.placeholder_for_known(&hit.secret);
            let start = text.floor_char_boundary(hit.range.start);
            let end = text.ceil_char_boundary(hit.range.end);
            Replacement::new(start..end, encode_placeholder(&new, text, start, place))
        });
        pieces.collect()
    }

    fn collapse_to_class(&self, text: &mut Cow<'_, str>, place: TextLocation) {
        if self.purpose == Purpose::Write {
            return;
        }
        let new = match place.is_url() {
            true => placeholder::collapse_to_class_in_url(text),
            false => placeholder::collapse_to_class(text),
        };
        if let Cow::Owned(new) = new {
            *text = Cow::Owned(new);
        }
    }
}

fn encode_placeholder(placeholder: &str, text: &str, start: usize, place: TextLocation) -> String {
    if place.is_url() || within_url(text, start) {
        return placeholder::encoded(placeholder);
    }
    placeholder.to_owned()
}

fn within_url(text: &str, at: usize) -> bool {
    let before = &text[text.floor_char_boundary(at.saturating_sub(MAX_URL))..at];
    let ends = |c: char| c.is_whitespace() || "\"'<>\\`".contains(c);
    before.rsplit(ends).next().unwrap_or(before).contains("://")
}

/// Longer URLs are not recognised as such.
const MAX_URL: usize = 4096;

/// Works on bytes as text. What is no UTF-8 is taken for Latin-1, in which each byte is a
/// character, and comes back the same.
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
