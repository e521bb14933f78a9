//! Regular expressions that find secrets by their format. One scan tests for all of them first.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use crate::pattern_prefix::PrefixMatcher;
use crate::rule::Rule;

/// Compiled patterns. A text without a match costs one scan.
#[derive(Clone)]
pub(super) struct Patterns {
    all: Vec<(Regex, Rule)>,
    /// All patterns at once. None if they exceed the size limit together.
    set: Option<RegexSet>,
    has_anchors: bool,
    /// In the order of `all`. Built for the first body that broke off.
    prefixes: OnceLock<Arc<[PrefixMatcher]>>,
}

impl fmt::Debug for Patterns {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(&self.all).finish()
    }
}

/// Compiles one expression. Classes such as `\w` are ASCII, which keeps the search fast on any
/// bytes; an expression that needs Unicode classes is compiled with Unicode support.
pub(super) fn compile(expression: &str) -> Result<Regex, regex::Error> {
    let build = |unicode| {
        RegexBuilder::new(expression)
            .unicode(unicode)
            .size_limit(MAX_SIZE)
            .build()
    };
    build(false).or_else(|_| build(true))
}

/// Maximum size of one compiled expression in bytes.
const MAX_SIZE: usize = 1 << 20;
/// Maximum size of the compiled set of all expressions in bytes.
const MAX_SET_SIZE: usize = 32 << 20;

impl Patterns {
    pub(super) fn new(all: Vec<(Regex, Rule)>) -> Self {
        let texts = || all.iter().map(|(regex, _)| regex.as_str());
        let build = |unicode| {
            let mut builder = RegexSetBuilder::new(texts());
            builder
                .unicode(unicode)
                .size_limit(MAX_SET_SIZE)
                .build()
                .ok()
        };
        Self {
            set: build(false).or_else(|| build(true)),
            has_anchors: texts().any(may_be_anchored),
            prefixes: OnceLock::new(),
            all,
        }
    }

    /// True if any pattern may match in the text.
    pub(super) fn may_match(&self, text: &str) -> bool {
        let matches = |set: &RegexSet| set.is_match(text.as_bytes());
        !self.all.is_empty() && self.set.as_ref().is_none_or(matches)
    }

    /// The id of a rule whose pattern might match at the end of a text if the text was longer.
    pub(super) fn cut_match(&self, text: &[u8]) -> Option<&str> {
        let prefixes = self.prefixes.get_or_init(|| {
            let all = self.all.iter();
            all.map(|(regex, _)| PrefixMatcher::new(regex.as_str()))
                .collect()
        });
        let mut found = prefixes.iter().zip(&self.all);
        found
            .find(|(prefix, _)| prefix.may_match_beyond(text))
            .map(|(_, (_, rule))| &*rule.id)
    }

    /// True if a pattern is anchored to the start or end of the text: then it may match in a
    /// substring although it does not match in the whole text.
    pub(super) fn has_anchors(&self) -> bool {
        self.has_anchors
    }

    /// The matches of all patterns with their rules, in the order of the text: the first group if
    /// it participates, otherwise the whole match. Of those that begin together the longest is
    /// first.
    pub(super) fn find<'a>(
        &'a self,
        text: &'a str,
    ) -> impl Iterator<Item = (Range<usize>, &'a Rule)> {
        let all = self.may_match(text).then_some(&self.all);
        let mut found: Vec<_> = all
            .into_iter()
            .flatten()
            .map(|(regex, rule)| {
                let captures = regex.captures_iter(text.as_bytes());
                let places = captures.filter_map(|captures| captures.get(1).or(captures.get(0)));
                let places = places.filter(|place| !place.is_empty());
                let ranges = places.map(|place| whole_characters(text, place.range()));
                ranges.map(move |range| (range, rule)).peekable()
            })
            .collect();
        std::iter::from_fn(move || {
            let first = found.iter_mut().enumerate().filter_map(|(at, found)| {
                let (range, _) = found.peek()?;
                Some((range.start, usize::MAX - range.end, at))
            });
            let (_, _, first) = first.min()?;
            found[first].next()
        })
    }
}

/// True if the expression may be anchored; false positives are possible.
fn may_be_anchored(expression: &str) -> bool {
    let rest = expression
        .replace("[^", "[")
        .replace("\\^", "")
        .replace("\\$", "");
    rest.contains(['^', '$']) || rest.contains("\\A") || rest.contains("\\z")
}

/// Expressions without Unicode support match bytes and may end within a character.
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
    fn finds_first_groups_and_whole_matches() {
        let text = "key=abc; sk-12345 \u{e9}x";
        let patterns = patterns(&["key=(\\w+)", "sk-\\d+", "(?:never)", "[\\xc3]()"]);
        let found: Vec<_> = patterns.find(text).map(|(range, _)| &text[range]).collect();
        assert_eq!(found, ["abc", "sk-12345"]);
        assert!(!patterns.may_match("nothing here"));
    }

    #[test]
    fn matches_end_at_character_boundaries() {
        let found = patterns(&["x(..)"]);
        assert_eq!(found.find("xaé").next().unwrap().0, 1..4);
    }

    #[test]
    fn compiles_unicode_classes_and_detects_anchors() {
        assert_eq!(
            patterns(&["\\p{Greek}+"]).find("abc λμ").next().unwrap().0,
            4..8
        );
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
                patterns(&[expression]).has_anchors(),
                expected,
                "{expression}"
            );
        }
        assert!(!patterns(&[]).may_match("a"));
    }
}
