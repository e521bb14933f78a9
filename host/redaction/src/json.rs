//! Redaction of JSON: only the replaced values change in the text.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use crate::free_text::TextLocation;
use crate::name_matcher::NameMap;
use crate::pass::{MAX_PASSES, Purpose, RedactionPass};
use crate::placeholder;
use crate::rule::Rule;
use crate::splice::{self, Replacement, TextSplicer};
use ouli_codec::json::{Document, Kind, Node};

impl RedactionPass<'_> {
    /// Redacts a document. JSON in strings is parsed up to `levels` deep. None if nothing changes.
    pub(super) fn redact_json(&mut self, document: &Document, levels: u8) -> Option<String> {
        let named = self.redact_named_values(document);
        let text = std::str::from_utf8(document.text()).unwrap_or_default();
        let before = self.secrets.version();
        let mut text = Cow::from(named.as_deref().unwrap_or(text));
        for _ in 0..MAX_PASSES {
            match self.redact_strings(&text, levels) {
                Some(new) => text = Cow::Owned(new),
                None => break,
            }
            // Another pass is needed only if a new secret may occur in an earlier string.
            if self.secrets.version() == before {
                break;
            }
        }
        match text {
            Cow::Owned(new) => Some(new),
            Cow::Borrowed(_) => named,
        }
    }

    /// Replaces the values that rules name by member or pointer. None if nothing changes.
    pub(super) fn redact_named_values(&mut self, document: &Document) -> Option<String> {
        let rules = self.rules;
        let text = std::str::from_utf8(document.text()).unwrap_or_default();
        let mut pointers = rules.pointers.iter();
        if pointers.all(|(pointer, _)| document.find(pointer).next().is_none()) {
            let mut out = TextSplicer::new(text);
            if let Some(members) = &rules.members {
                let mut replace = |range, new: &str| out.replace(range, new);
                self.redact_members(document.root(), members, &mut replace);
            }
            return out.finish();
        }
        let mut replacements = Vec::new();
        let mut replace =
            |range, new: &str| replacements.push(Replacement::new(range, new.to_owned()));
        if let Some(members) = &rules.members {
            self.redact_members(document.root(), members, &mut replace);
        }
        for (pointer, rule) in &rules.pointers {
            for node in document.find(pointer) {
                self.redact_node(node, rule, &mut replace);
            }
        }
        splice::text(text, replacements)
    }

    fn redact_members(&mut self, node: Node<'_>, rules: &NameMap<Rule>, replace: Replace<'_>) {
        match node.kind() {
            Kind::Object(members) => {
                for member in members {
                    match rules.get(&member.name) {
                        Some(rule) if rule.applies_to_all() => {
                            self.redact_node(member.value, rule, replace);
                        }
                        Some(rule) => {
                            // What the rule leaves may have members that others name, also before
                            // what it replaces.
                            let mut found = Vec::new();
                            let mut collect = |range, new: &str| {
                                found.push(Replacement::new(range, new.to_owned()));
                            };
                            self.redact_node(member.value, rule, &mut collect);
                            self.redact_members(member.value, rules, &mut collect);
                            for found in splice::ordered(found).into_iter().flatten() {
                                replace(found.range, &found.value);
                            }
                        }
                        None => self.redact_members(member.value, rules, replace),
                    }
                }
            }
            Kind::Array(elements) => {
                for element in elements {
                    self.redact_members(element, rules, replace);
                }
            }
            Kind::String(_) | Kind::Number | Kind::Bool(_) | Kind::Null => {}
        }
    }

    /// Replaces a value that a rule names with a string. In an object or array, each string and
    /// number is replaced, so that its structure stays for clients that read it.
    fn redact_node(&mut self, node: Node<'_>, rule: &Rule, replace: Replace<'_>) {
        let new = match node.kind() {
            Kind::Null => None,
            Kind::String(text) => self.placeholder_for(rule, text.as_bytes()),
            Kind::Number | Kind::Bool(_) => self.placeholder_for(rule, node.text().as_bytes()),
            Kind::Object(members) => {
                let values = members.map(|member| member.value);
                return self.redact_leaves(values, rule, replace);
            }
            Kind::Array(elements) => {
                return self.redact_leaves(elements, rule, replace);
            }
        };
        if let Some(new) = new {
            replace(node.span(), &format!("\"{new}\""));
        }
    }

    fn redact_leaves<'a>(
        &mut self,
        nodes: impl Iterator<Item = Node<'a>>,
        rule: &Rule,
        replace: Replace<'_>,
    ) {
        // A boolean in an object or array reveals nothing of the secret.
        for node in nodes.filter(|node| !matches!(node.kind(), Kind::Bool(_))) {
            self.redact_node(node, rule, replace);
        }
    }

    /// Redacts the strings, member names included, and the numbers of a valid JSON text by names,
    /// patterns and known secrets.
    pub(super) fn redact_strings(&mut self, text: &str, levels: u8) -> Option<String> {
        let hints = TextHints::of(self, text);
        if !hints.any {
            return None;
        }
        let mut out = TextSplicer::new(text);
        let mut checked_to = 0;
        for string in string_ranges(text) {
            self.redact_numbers(text, checked_to..string.start - 1, &hints, &mut out);
            checked_to = string.end + 1;
            let raw = &text[string.clone()];
            if !hints.may_match(raw) {
                continue;
            }
            let decoded = decoded(raw);
            if let Some(new) = self.redact_free_text(&decoded, TextLocation::Body, levels) {
                out.replace(string, &escaped(&new));
            }
        }
        self.redact_numbers(text, checked_to..text.len(), &hints, &mut out);
        out.finish()
    }

    /// Replaces the numbers between two strings that contain a known secret.
    fn redact_numbers(
        &mut self,
        text: &str,
        gap: Range<usize>,
        hints: &TextHints,
        out: &mut TextSplicer<'_>,
    ) {
        if !hints.has_known_secret {
            return;
        }
        let is_number_char = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        let searcher = self.secrets.searcher_for(text.len());
        for hit in searcher.find(text[gap.clone()].as_bytes()) {
            let range = gap.start + hit.range.start..gap.start + hit.range.end;
            if !text[range.clone()].chars().all(is_number_char) {
                continue;
            }
            let start = text[..range.start].trim_end_matches(is_number_char).len();
            let rest = text[range.end..].trim_start_matches(is_number_char).len();
            let new = self.placeholder_for_known(&hit.secret);
            out.replace(start..text.len() - rest, &format!("\"{new}\""));
        }
    }
}

/// Takes a range of the document and its new text.
type Replace<'a> = &'a mut dyn FnMut(Range<usize>, &str);

/// Which strings of a text need a closer look, by one scan of the whole text.
struct TextHints {
    /// Some string may need to be redacted.
    any: bool,
    /// The text holds a known secret.
    has_known_secret: bool,
    /// Every string must be checked.
    check_all: bool,
    /// The text may hold placeholders that must be replaced.
    has_placeholder: bool,
}

impl TextHints {
    fn of(pass: &RedactionPass<'_>, text: &str) -> Self {
        let patterns = &pass.rules.patterns;
        let searcher = pass.secrets.searcher_for(text.len());
        let has_known_secret = searcher.find_any(text.as_bytes()).is_some();
        let check_all = has_known_secret || patterns.has_anchors() || patterns.may_match(text);
        let has_placeholder = pass.purpose != Purpose::Write && placeholder::may_contain(text);
        Self {
            any: check_all || has_placeholder || has_marker(text),
            has_known_secret,
            check_all,
            has_placeholder,
        }
    }

    /// True if a string, given as written between its quotes, may need to be redacted.
    fn may_match(&self, raw: &str) -> bool {
        self.check_all || has_marker(raw) || (self.has_placeholder && placeholder::may_contain(raw))
    }
}

/// True if a text may hold an escape, a name with a value or the user information of a URL.
fn has_marker(text: &str) -> bool {
    memchr::memchr3(b'\\', b'=', b'@', text.as_bytes()).is_some()
}

/// The ranges between the quotes of every string of a valid JSON text.
fn string_ranges(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + memchr::memchr(b'"', bytes.get(from..)?)? + 1;
        let mut end = start;
        loop {
            end += memchr::memchr2(b'"', b'\\', bytes.get(end..)?)?;
            if bytes[end] == b'"' {
                from = end + 1;
                return Some(start..end);
            }
            end += 2;
        }
    })
}

fn decoded(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    // A body may be one string: no more memory than it needs.
    let mut quoted = String::with_capacity(raw.len() + 2);
    quoted.extend(["\"", raw, "\""]);
    let string = Document::parse(Bytes::from(quoted));
    match string.as_ref().map(|string| string.root().kind()) {
        Some(Kind::String(text)) => Cow::Owned(text.into_owned()),
        _ => Cow::Borrowed(raw),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            other => out.push(other),
        }
    }
    out
}
