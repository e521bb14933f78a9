//! Secrets in JSON: the text stays as it was but for the values that are replaced.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use crate::free_text::TextLocation;
use crate::name_matcher::NameMap;
use crate::pass::{MAX_PASSES, Purpose, RedactionPass};
use crate::placeholder;
use crate::rule::Rule;
use crate::splice::{self, Replacement};
use ouli_codec::json::{Document, Kind, Node};

impl RedactionPass<'_> {
    /// A document without its secrets. Strings that hold JSON are gone through `levels` deep. None
    /// where nothing changes.
    pub(super) fn redact_json(&mut self, document: &Document, levels: u8) -> Option<String> {
        let named = self.redact_named_values(document);
        let text = std::str::from_utf8(document.text()).unwrap_or_default();
        let before = self.secrets.len();
        let mut text = Cow::from(named.as_deref().unwrap_or(text));
        for _ in 0..MAX_PASSES {
            match self.redact_strings(&text, levels) {
                Some(new) => text = Cow::Owned(new),
                None => break,
            }
            // Only a secret that showed late may stand in a string that was passed already.
            if self.secrets.len() == before {
                break;
            }
        }
        match text {
            Cow::Owned(new) => Some(new),
            Cow::Borrowed(_) => named,
        }
    }

    /// A document without the values that rules find by where they stand. None where nothing
    /// changes.
    pub(super) fn redact_named_values(&mut self, document: &Document) -> Option<String> {
        let mut pieces = Vec::new();
        let rules = self.rules;
        if let Some(members) = &rules.members {
            self.redact_members(document, document.root(), members, &mut pieces);
        }
        for (pointer, rule) in &rules.pointers {
            for node in document.find(pointer) {
                self.redact_node(document, node, rule, &mut pieces);
            }
        }
        let text = std::str::from_utf8(document.text()).unwrap_or_default();
        splice::text(text, pieces)
    }

    fn redact_members(
        &mut self,
        document: &Document,
        node: &Node,
        rules: &NameMap<Rule>,
        pieces: &mut Vec<Replacement<String>>,
    ) {
        match &node.kind {
            Kind::Object(members) => {
                for member in members {
                    match rules.get(&member.name) {
                        Some(rule) => self.redact_node(document, &member.value, rule, pieces),
                        None => self.redact_members(document, &member.value, rules, pieces),
                    }
                }
            }
            Kind::Array(elements) => {
                for element in elements {
                    self.redact_members(document, element, rules, pieces);
                }
            }
            Kind::String(_) | Kind::Number | Kind::Bool(_) | Kind::Null => {}
        }
    }

    /// A value that a rule names becomes a string. Of an object or an array each string and number
    /// does, so that a client that looks inside still finds what it looks for.
    fn redact_node(
        &mut self,
        document: &Document,
        node: &Node,
        rule: &Rule,
        pieces: &mut Vec<Replacement<String>>,
    ) {
        let new = match &node.kind {
            Kind::Null => None,
            Kind::String(text) => self.placeholder_for(rule, text.as_bytes()),
            Kind::Number | Kind::Bool(_) => {
                self.placeholder_for(rule, document.slice(node).as_bytes())
            }
            Kind::Object(members) => {
                let values = members.iter().map(|member| &member.value);
                return self.leaves(document, values, rule, pieces);
            }
            Kind::Array(elements) => {
                return self.leaves(document, elements.iter(), rule, pieces);
            }
        };
        pieces.extend(new.map(|new| Replacement::new(node.span.clone(), format!("\"{new}\""))));
    }

    fn leaves<'a>(
        &mut self,
        document: &Document,
        nodes: impl Iterator<Item = &'a Node>,
        rule: &Rule,
        pieces: &mut Vec<Replacement<String>>,
    ) {
        // A truth value below a secret's name says nothing about it.
        for node in nodes.filter(|node| !matches!(node.kind, Kind::Bool(_))) {
            self.redact_node(document, node, rule, pieces);
        }
    }

    /// What names, patterns and known values tell of the strings, member names included, and of the
    /// numbers of a valid JSON text.
    pub(super) fn redact_strings(&mut self, text: &str, levels: u8) -> Option<String> {
        let hints = TextHints::of(self, text);
        if !hints.any {
            return None;
        }
        let mut pieces = Vec::new();
        let mut done = 0;
        for inner in string_ranges(text) {
            self.numbers(text, done..inner.start - 1, &hints, &mut pieces);
            done = inner.end + 1;
            let raw = &text[inner.clone()];
            if !hints.may_match(raw) {
                continue;
            }
            let decoded = decoded(raw);
            if let Some(new) = self.redact_free_text(&decoded, TextLocation::Body, levels) {
                pieces.push(Replacement::new(inner, escaped(&new)));
            }
        }
        self.numbers(text, done..text.len(), &hints, &mut pieces);
        splice::text(text, pieces)
    }

    /// Known values among the numbers that stand between two strings.
    fn numbers(
        &mut self,
        text: &str,
        gap: Range<usize>,
        hints: &TextHints,
        pieces: &mut Vec<Replacement<String>>,
    ) {
        if !hints.known {
            return;
        }
        let part_of_number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        for hit in self.secrets.searcher().find(text[gap.clone()].as_bytes()) {
            let range = gap.start + hit.range.start..gap.start + hit.range.end;
            if !text[range.clone()].chars().all(part_of_number) {
                continue;
            }
            let start = text[..range.start].trim_end_matches(part_of_number).len();
            let rest = text[range.end..].trim_start_matches(part_of_number).len();
            let new = self.placeholder_for_known(&hit.secret);
            pieces.push(Replacement::new(
                start..text.len() - rest,
                format!("\"{new}\""),
            ));
        }
    }
}

/// What one look over a whole text says about its strings.
struct TextHints {
    any: bool,
    known: bool,
    every: bool,
    class: bool,
}

impl TextHints {
    fn of(run: &RedactionPass<'_>, text: &str) -> Self {
        let patterns = &run.rules.patterns;
        let known = run.secrets.searcher().find_any(text.as_bytes()).is_some();
        let every = known || patterns.has_edge_patterns() || patterns.may_match(text);
        let class = run.purpose == Purpose::Key && placeholder::may_hold(text);
        Self {
            any: every || class || memchr::memchr3(b'\\', b'=', b'@', text.as_bytes()).is_some(),
            known,
            every,
            class,
        }
    }

    /// True where the inside of a string, as it is written, is worth a closer look.
    fn may_match(&self, raw: &str) -> bool {
        let marked = || memchr::memchr3(b'\\', b'=', b'@', raw.as_bytes()).is_some();
        self.every || marked() || (self.class && placeholder::may_hold(raw))
    }
}

/// The places between the quotes of every string of a valid JSON text.
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
    let string = Document::parse(Bytes::from(format!("\"{raw}\"")));
    if let Some(Kind::String(text)) = string.map(Document::into_kind) {
        return Cow::Owned(text);
    }
    Cow::Borrowed(raw)
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
