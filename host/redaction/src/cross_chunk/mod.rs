//! Redaction of secrets that are split over several parts of a stream.
//!
//! Texts that belong together are joined: the plain data of events, the texts of messages, or, in
//! parts that are JSON, the strings at one pointer, as in the deltas of a language model. A match
//! of a pattern or a known secret across the boundaries of a joined text is replaced in all its
//! parts.

mod part_format;
mod segments;

use std::ops::Range;

use bytes::Bytes;

use crate::name_value_pairs;
use crate::pass::{Outcome, Redaction, RedactionPass};
use crate::splice;
pub use part_format::PartFormat;
use segments::{Edits, JoinedText};

/// Maximum number of split secrets in one joined text. Only crafted streams have more.
const MAX_REPLACEMENTS: usize = 1000;

impl Redaction<'_> {
    /// Redacts the secrets that are split over several parts. Must be called before each part is
    /// redacted alone, since one part may hold enough of a secret to match as a whole, and again
    /// after that, since more secrets are known then.
    pub fn redact_across_parts(
        &self,
        mut value: Vec<Bytes>,
        format: PartFormat,
    ) -> Outcome<Vec<Bytes>> {
        let mut pass = self.begin_pass();
        pass.redact_joined_texts(segments::join_texts(&value, format), &mut value);
        let mixed = segments::join_mixed(&value, format);
        pass.redact_joined_texts(mixed, &mut value);
        Outcome {
            value,
            counts: pass.into_counts(),
        }
    }
}

impl RedactionPass<'_> {
    fn redact_joined_texts(
        &mut self,
        joined_texts: impl IntoIterator<Item = JoinedText>,
        parts: &mut [Bytes],
    ) {
        let mut edits = Edits::new();
        for joined in joined_texts {
            self.redact_joined_text(&joined, &mut edits);
        }
        for (part, edits) in edits {
            let Some(part) = parts.get_mut(part) else {
                continue;
            };
            if let Some(new) = splice::bytes(part, edits) {
                *part = new.into();
            }
        }
    }

    fn redact_joined_text(&mut self, joined: &JoinedText, edits: &mut Edits) {
        let mut replacements: Vec<(Range<usize>, String)> = Vec::new();
        if let Some(text) = joined.text() {
            self.find_split_values(joined, text, &mut replacements);
            self.find_split_matches(joined, text, &mut replacements);
        }
        for hit in self
            .secrets
            .searcher_for(joined.bytes().len())
            .find(joined.bytes())
        {
            if is_unreplaced(&replacements, &hit.range) && joined.crosses_boundary(&hit.range) {
                let range = joined.whole_characters(hit.range);
                replacements.push((range, self.placeholder_for_known(&hit.secret)));
            }
        }
        replacements.sort_by_key(|(range, _)| range.start);
        joined.replace(&replacements, edits);
    }

    /// Finds values that are split, or separated from their names: members of JSON, as in the
    /// arguments of a tool call of a language model, and parameters of URLs and forms.
    fn find_split_values(
        &mut self,
        joined: &JoinedText,
        text: &str,
        replacements: &mut Vec<(Range<usize>, String)>,
    ) {
        self.find_split_members(joined, text, replacements);
        for (name, range) in name_value_pairs::pairs(text, true) {
            let whole = range.start - 1 - name.len()..range.end;
            if replacements.len() >= MAX_REPLACEMENTS
                || !joined.crosses_boundary(&whole)
                || !is_unreplaced(replacements, &range)
            {
                continue;
            }
            let end = self.unquoted_end(joined, text, &range);
            let value = range.start..end;
            if let Some(new) = self.placeholder_for_pair(name, &text[value.clone()]) {
                replacements.push((value, new));
            }
        }
    }

    fn find_split_members(
        &mut self,
        joined: &JoinedText,
        text: &str,
        replacements: &mut Vec<(Range<usize>, String)>,
    ) {
        let Some(members) = &self.rules.members else {
            return;
        };
        let mut from = 0;
        for key in name_value_pairs::members(text) {
            let rule = members.get(key.name).filter(|_| from <= key.value_start());
            let Some((rule, (mut range, quote))) = rule.zip(key.value(text)) else {
                continue;
            };
            from = range.end;
            // The value may be complete in a part that holds only the end of its name.
            if replacements.len() >= MAX_REPLACEMENTS
                || !joined.crosses_boundary(&(key.start..range.end))
            {
                continue;
            }
            if !quote.is_empty() {
                range.end = self.unquoted_end(joined, text, &range);
            }
            if let Some(new) = self.placeholder_for(rule, &text.as_bytes()[range.clone()]) {
                replacements.push((range, format!("{quote}{new}{quote}")));
            }
        }
    }

    /// The end of a value without quotes. If the value ends with white space or the joined text, a
    /// following fragment may be ordinary words, so it counts only if it looks like a token.
    fn unquoted_end(&self, joined: &JoinedText, text: &str, range: &Range<usize>) -> usize {
        let delimiter = text[range.end..].chars().next();
        if delimiter.is_some_and(|c| !c.is_whitespace()) {
            return range.end;
        }
        let mut end = joined.end_of_fragment(range.start).min(range.end);
        for fragment in joined.fragments_from(end) {
            let next = fragment.end.min(range.end);
            if fragment.start >= range.end || !looks_like_token(&text[end..next]) {
                break;
            }
            end = next;
        }
        end
    }

    fn find_split_matches(
        &mut self,
        joined: &JoinedText,
        text: &str,
        replacements: &mut Vec<(Range<usize>, String)>,
    ) {
        let (mut from, rules) = (0, self.rules);
        for _ in 0..MAX_REPLACEMENTS {
            let found = rules.patterns.find(&text[from..]);
            let found = found.map(|(range, rule)| (range.start + from..range.end + from, rule));
            let mut split = found.filter(|(range, _)| {
                joined.crosses_boundary(range) || !self.matches_in_fragment(joined, text, range)
            });
            let Some((range, rule)) = split.next() else {
                return;
            };
            drop(split);
            let secret = range.start..self.match_end(joined, text, &range);
            from = secret.end;
            let is_split = joined.crosses_boundary(&secret)
                || !self.matches_in_fragment(joined, text, &secret);
            if is_split && is_unreplaced(replacements, &secret) {
                let new = self.placeholder_for_match(rule, &text.as_bytes()[secret.clone()]);
                replacements.push((secret, new));
            }
        }
    }

    /// True if a pattern also matches the secret in its fragment alone. The pattern may include
    /// text before the secret, such as `Bearer`, which may be in another fragment.
    fn matches_in_fragment(&self, joined: &JoinedText, text: &str, secret: &Range<usize>) -> bool {
        let fragment = joined.fragment(secret.start);
        let mut found = self.rules.patterns.find(&text[fragment.clone()]);
        found.any(|(range, _)| fragment.start + range.start == secret.start)
    }

    /// The end of a match that crosses boundaries. A pattern without a maximum length extends into
    /// the next fragment even if that is other text: once the text so far satisfies the pattern, a
    /// further fragment counts only if it looks like a token.
    fn match_end(&self, joined: &JoinedText, text: &str, range: &Range<usize>) -> usize {
        let patterns = &self.rules.patterns;
        let mut end = joined.end_of_fragment(range.start).min(range.end);
        for fragment in joined.fragments_from(end) {
            if fragment.start >= range.end {
                break;
            }
            let next = fragment.end.min(range.end);
            let (more, whole) = (&text[end..next], &text[fragment.clone()]);
            // Some patterns include text before the secret, such as `Bearer`.
            let before = text.floor_char_boundary(range.start.saturating_sub(CONTEXT));
            let is_complete = patterns
                .find(&text[before..end])
                .any(|(found, _)| before + found.start == range.start);
            let is_other_match = patterns
                .find(whole)
                .any(|(found, _)| found.start < more.len());
            if is_complete && (is_other_match || !looks_like_token(more)) {
                break;
            }
            end = next;
        }
        end
    }
}

/// True if the range overlaps no replacement.
fn is_unreplaced(replacements: &[(Range<usize>, String)], range: &Range<usize>) -> bool {
    replacements
        .iter()
        .all(|(replaced, _)| replaced.end <= range.start || range.end <= replaced.start)
}

/// Number of bytes before a secret that a pattern may include.
const CONTEXT: usize = 64;

/// Ordinary words contain no digits, and capitals only at the start.
fn looks_like_token(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
        || text.bytes().skip(1).any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests;
