//! Regular expressions that find secrets by their looks, all tried in one scan first.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use crate::rule::Rule;

/// Compiled patterns. Texts in which none of them finds anything cost one scan.
#[derive(Clone, Debug)]
pub(super) struct Patterns {
    all: Vec<(Regex, Rule)>,
    /// All at once; none where they are too large together.
    set: Option<RegexSet>,
    has_edge_patterns: bool,
}

/// Compiles one expression. Letters and digits are those of ASCII, which keeps the search linear
/// and fast on any text; an expression that needs Unicode classes is compiled with them.
pub(super) fn compile(expression: &str) -> Result<Regex, regex::Error> {
    let build = |unicode| {
        RegexBuilder::new(expression)
            .unicode(unicode)
            .size_limit(SIZE)
            .build()
    };
    build(false).or_else(|_| build(true))
}

/// The most bytes that one compiled expression takes.
const SIZE: usize = 1 << 20;
/// The most that all of them together take.
const SET_SIZE: usize = 32 << 20;

impl Patterns {
    pub(super) fn new(all: Vec<(Regex, Rule)>) -> Self {
        let texts = || all.iter().map(|(regex, _)| regex.as_str());
        let build = |unicode| {
            let mut builder = RegexSetBuilder::new(texts());
            builder.unicode(unicode).size_limit(SET_SIZE).build().ok()
        };
        Self {
            set: build(false).or_else(|| build(true)),
            has_edge_patterns: texts().any(looks_at_edges),
            all,
        }
    }

    /// True where any pattern may find something in the text.
    pub(super) fn may_match(&self, text: &str) -> bool {
        let matches = |set: &RegexSet| set.is_match(text.as_bytes());
        !self.all.is_empty() && self.set.as_ref().is_none_or(matches)
    }

    /// True where a pattern looks at the begin or end of a text: then a piece of a text may hold
    /// what the whole does not.
    pub(super) fn has_edge_patterns(&self) -> bool {
        self.has_edge_patterns
    }

    /// What the patterns find, each with its rule: the first group where it takes part, else all.
    pub(super) fn find<'a>(&'a self, text: &str) -> Vec<(Range<usize>, &'a Rule)> {
        if !self.may_match(text) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (regex, rule) in &self.all {
            for captures in regex.captures_iter(text.as_bytes()) {
                let Some(place) = captures.get(1).or_else(|| captures.get(0)) else {
                    continue;
                };
                if !place.is_empty() {
                    found.push((whole_characters(text, place.range()), rule));
                }
            }
        }
        found
    }
}

/// Errs on the side of yes.
fn looks_at_edges(expression: &str) -> bool {
    let rest = expression
        .replace("[^", "[")
        .replace("\\^", "")
        .replace("\\$", "");
    rest.contains(['^', '$']) || rest.contains("\\A") || rest.contains("\\z")
}

/// Expressions without Unicode look at bytes and may stop within a character.
fn whole_characters(text: &str, range: Range<usize>) -> Range<usize> {
    text.floor_char_boundary(range.start)..text.ceil_char_boundary(range.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(expressions: &[&str]) -> Patterns {
        let rule = |at: usize| Rule::new(&format!("pattern.p{at}"), "p");
        let all = expressions.iter().enumerate();
        Patterns::new(
            all.map(|(at, text)| (compile(text).unwrap(), rule(at)))
                .collect(),
        )
    }

    #[test]
    fn groups_and_whole_matches_are_found() {
        let text = "key=abc; sk-12345 \u{e9}x";
        let patterns = patterns(&["key=(\\w+)", "sk-\\d+", "(?:never)", "[\\xc3]()"]);
        let found: Vec<_> = patterns
            .find(text)
            .into_iter()
            .map(|(range, _)| &text[range])
            .collect();
        assert_eq!(found, ["abc", "sk-12345"]);
        assert!(!patterns.may_match("nothing here"));
    }

    #[test]
    fn characters_are_never_cut() {
        let found = patterns(&["x(..)"]);
        assert_eq!(found.find("xaé")[0].0, 1..4);
    }

    #[test]
    fn unicode_is_there_for_those_who_need_it() {
        assert_eq!(patterns(&["\\p{Greek}+"]).find("abc λμ")[0].0, 4..8);
        assert!(compile("(").is_err());
        assert!(compile("\\w{1000}{1000}").is_err());
        for (expression, expected) in [
            ("^a", true),
            ("a$", true),
            ("\\Aa", true),
            ("a\\z", true),
            ("(?:[^a]|\\$|\\^)", false),
        ] {
            assert_eq!(
                patterns(&[expression]).has_edge_patterns(),
                expected,
                "{expression}"
            );
        }
        assert!(!patterns(&[]).may_match("a"));
    }
}
