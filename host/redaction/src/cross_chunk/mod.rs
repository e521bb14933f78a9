//! Secrets that a border between two parts of a stream cuts: each part holds a piece that says
//! nothing by itself.
//!
//! Texts that belong together form a *strand*: the plain data of events, the texts of messages, or
//! of parts that are JSON the strings at one pointer, as in the deltas of a language model. What a
//! pattern or a known secret finds across the borders of a strand is taken out of all its parts.

mod part_format;
mod segments;

use std::ops::Range;

use bytes::Bytes;

use crate::name_value_pairs;
use crate::pass::{Outcome, Redaction, RedactionPass};
use crate::splice;
pub use part_format::PartFormat;
use segments::{Edits, JoinedText};

/// Secrets cut by borders that are taken out of one strand; more is for those that are made to be
/// difficult.
const MAX_REPLACEMENTS: usize = 1000;

impl Redaction<'_> {
    /// The same parts without the secrets that their borders cut. It is to be called before each
    /// part is looked at alone, since a part may hold enough of a secret to be taken for all of it,
    /// and after that, since more secrets are known then.
    pub fn redact_across_parts(&self, parts: &[Bytes], joint: PartFormat) -> Outcome<Vec<Bytes>> {
        let mut run = self.begin_pass();
        let mut value = parts.to_vec();
        run.redact_joined_texts(&segments::join_texts(parts, joint), &mut value);
        let mixed = segments::join_mixed(&value, joint);
        run.redact_joined_texts(mixed.as_slice(), &mut value);
        Outcome {
            value,
            counts: run.into_counts(),
        }
    }
}

impl RedactionPass<'_> {
    fn redact_joined_texts(&mut self, strands: &[JoinedText], parts: &mut [Bytes]) {
        if strands.is_empty() {
            return;
        }
        let mut edits = vec![Vec::new(); parts.len()];
        for strand in strands {
            self.redact_joined_text(strand, &mut edits);
        }
        for (part, edits) in parts.iter_mut().zip(edits) {
            if let Some(new) = splice::bytes(part, edits) {
                *part = new.into();
            }
        }
    }

    fn redact_joined_text(&mut self, strand: &JoinedText, edits: &mut Edits) {
        let mut cuts: Vec<(Range<usize>, String)> = Vec::new();
        if let Some(text) = strand.text() {
            self.find_split_values(strand, text, &mut cuts);
            self.find_split_matches(strand, text, &mut cuts);
        }
        for hit in self.secrets.searcher().find(strand.bytes()) {
            if is_unreplaced(&cuts, &hit.range) && strand.crosses_boundary(&hit.range) {
                let range = strand.whole_characters(hit.range);
                cuts.push((range, self.placeholder_for_known(&hit.secret)));
            }
        }
        cuts.sort_by_key(|(range, _)| range.start);
        strand.replace(&cuts, edits);
    }

    /// Values that borders cut, or cut off from their names: of members in JSON, as in the
    /// arguments of a tool that a language model calls, and of parameters and forms.
    fn find_split_values(
        &mut self,
        strand: &JoinedText,
        text: &str,
        cuts: &mut Vec<(Range<usize>, String)>,
    ) {
        self.find_split_members(strand, text, cuts);
        for (name, range) in name_value_pairs::pairs(text, true) {
            let whole = range.start - 1 - name.len()..range.end;
            if cuts.len() >= MAX_REPLACEMENTS
                || !strand.crosses_boundary(&whole)
                || !is_unreplaced(cuts, &range)
            {
                continue;
            }
            let end = self.unquoted_end(strand, text, &range);
            if let Some(piece) = self.replace_pair(name, text, range.start..end) {
                cuts.push((piece.range, piece.value));
            }
        }
    }

    fn find_split_members(
        &mut self,
        strand: &JoinedText,
        text: &str,
        cuts: &mut Vec<(Range<usize>, String)>,
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
            // A value may be whole in a part that has not all of its name.
            if cuts.len() >= MAX_REPLACEMENTS || !strand.crosses_boundary(&(key.start..range.end)) {
                continue;
            }
            if !quote.is_empty() {
                range.end = self.unquoted_end(strand, text, &range);
            }
            if let Some(new) = self.placeholder_for(rule, &text.as_bytes()[range.clone()]) {
                cuts.push((range, format!("{quote}{new}{quote}")));
            }
        }
    }

    /// Where a value without quotes ends. What ends with a space or with the strand may be the
    /// words of the next part, so of that only what looks like more of a token is taken.
    fn unquoted_end(&self, strand: &JoinedText, text: &str, range: &Range<usize>) -> usize {
        let closed = text[range.end..].chars().next();
        if closed.is_some_and(|c| !c.is_whitespace()) {
            return range.end;
        }
        let mut end = strand.end_of_fragment(range.start).min(range.end);
        for fragment in strand.fragments_from(end) {
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
        strand: &JoinedText,
        text: &str,
        cuts: &mut Vec<(Range<usize>, String)>,
    ) {
        let mut from = 0;
        for _ in 0..MAX_REPLACEMENTS {
            let found = self.rules.patterns.find(&text[from..]).into_iter();
            let found = found.map(|(range, rule)| (range.start + from..range.end + from, rule));
            let cut = found.filter(|(range, _)| {
                strand.crosses_boundary(range) || !self.matches_in_fragment(strand, text, range)
            });
            let Some((range, rule)) = cut.min_by_key(|(range, _)| range.start) else {
                return;
            };
            let secret = range.start..self.match_end(strand, text, &range);
            from = secret.end;
            let cut = strand.crosses_boundary(&secret)
                || !self.matches_in_fragment(strand, text, &secret);
            if cut && is_unreplaced(cuts, &secret) {
                let new = self.placeholder_for_match(rule, &text.as_bytes()[secret.clone()]);
                cuts.push((secret, new));
            }
        }
    }

    /// True where a pattern finds the secret in its own part as well. It may look at what stands
    /// before a secret, such as `Bearer`, which may be in another part.
    fn matches_in_fragment(&self, strand: &JoinedText, text: &str, secret: &Range<usize>) -> bool {
        let own = strand.fragment(secret.start);
        let found = self.rules.patterns.find(&text[own.clone()]);
        found
            .iter()
            .any(|(range, _)| own.start + range.start == secret.start)
    }

    /// Where a secret ends that goes over borders. A pattern without an upper length runs on into
    /// the next part, whether that goes on with the secret or not: once there is enough for the
    /// pattern, only what looks like more of a token is taken for it.
    fn match_end(&self, strand: &JoinedText, text: &str, range: &Range<usize>) -> usize {
        let patterns = &self.rules.patterns;
        let mut end = strand.end_of_fragment(range.start).min(range.end);
        for fragment in strand.fragments_from(end) {
            if fragment.start >= range.end {
                break;
            }
            let next = fragment.end.min(range.end);
            let (more, whole) = (&text[end..next], &text[fragment.clone()]);
            // What stands before the secret belongs to some patterns, such as `Bearer`.
            let before = text.floor_char_boundary(range.start.saturating_sub(CONTEXT));
            let enough = patterns
                .find(&text[before..end])
                .iter()
                .any(|(found, _)| before + found.start == range.start);
            let own = patterns
                .find(whole)
                .iter()
                .any(|(found, _)| found.start < more.len());
            if enough && (own || !looks_like_token(more)) {
                break;
            }
            end = next;
        }
        end
    }
}

/// True where nothing of it is taken out yet.
fn is_unreplaced(cuts: &[(Range<usize>, String)], range: &Range<usize>) -> bool {
    cuts.iter()
        .all(|(cut, _)| cut.end <= range.start || range.end <= cut.start)
}

/// Bytes before a secret that a pattern may look at.
const CONTEXT: usize = 64;

/// Words have neither digits nor capitals within.
fn looks_like_token(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
        || text.bytes().skip(1).any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests;
