//! Whether a text ends with the first part of a match of a regular expression.

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

/// One expression, as an automaton that can be asked after any byte whether a match is possible.
pub(super) struct PrefixMatcher {
    /// None if it cannot be built: then every text may end with a part of a match.
    automaton: Option<DFA>,
    /// A shorter part shows less than half of the shortest match.
    min_len: usize,
}

/// A match does not begin further before the end of a text. Tokens are shorter.
const WINDOW: usize = 16 << 10;
/// Bytes that are read for one expression. If they do not suffice, a match is possible.
const MAX_STEPS: usize = 8 << 20;
/// The first letters of tokens, such as `sk-`, are no secret.
const MAX_HARMLESS_LEN: usize = 4;

impl PrefixMatcher {
    /// The matcher of an expression that compiles.
    pub(super) fn new(expression: &str) -> Self {
        let build = |unicode| {
            let text = syntax::Config::new().unicode(unicode).utf8(false);
            let shortest = syntax::parse_with(expression, &text).ok()?;
            let shortest = shortest.properties().minimum_len().unwrap_or(0);
            let config = DFA::config()
                .unicode_word_boundary(true)
                .skip_cache_capacity_check(true);
            let automaton = DFA::builder()
                .configure(config)
                .syntax(text)
                .thompson(thompson::Config::new().utf8(false))
                .build(expression)
                .ok()?;
            Some(Self {
                automaton: Some(automaton),
                min_len: (shortest / 2).clamp(1, MAX_HARMLESS_LEN),
            })
        };
        build(false).or_else(|| build(true)).unwrap_or(Self {
            automaton: None,
            min_len: 1,
        })
    }

    /// True if a longer text could have a match that begins in this one and extends beyond it.
    pub(super) fn may_match_beyond(&self, text: &[u8]) -> bool {
        let Some(automaton) = &self.automaton else {
            return true;
        };
        let mut cache = automaton.create_cache();
        let starts =
            text.len().saturating_sub(WINDOW)..(text.len() + 1).saturating_sub(self.min_len);
        let mut steps = MAX_STEPS;
        starts
            .into_iter()
            .any(|start| reaches_end(automaton, &mut cache, text, start, &mut steps))
    }
}

/// True if a match that begins at `start` may extend beyond the text.
fn reaches_end(
    automaton: &DFA,
    cache: &mut Cache,
    text: &[u8],
    start: usize,
    steps: &mut usize,
) -> bool {
    let input = Input::new(text).range(start..).anchored(Anchored::Yes);
    let Ok(mut state) = automaton.start_state_forward(cache, &input) else {
        return true;
    };
    for byte in &text[start..] {
        *steps = steps.saturating_sub(1);
        // Without an answer, a match is possible.
        let next = automaton.next_state(cache, state, *byte).ok();
        let Some(next) = next.filter(|next| !next.is_quit() && *steps > 0) else {
            return true;
        };
        if next.is_dead() {
            return false;
        }
        state = next;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_first_part_of_a_match_from_other_texts() {
        for (expression, text, expected) in [
            (
                r"\bsk-ant-[A-Za-z0-9_-]{20,}",
                "the key is sk-ant-c4N4",
                true,
            ),
            (r"\bsk-ant-[A-Za-z0-9_-]{20,}", "the key is sk-ant", true),
            (r"\bsk-ant-[A-Za-z0-9_-]{20,}", "the key is sk-", false),
            (r"\bsk-ant-[A-Za-z0-9_-]{20,}", "task-ant", false),
            (r"\bsk-ant-[A-Za-z0-9_-]{20,}", "sk-ant-c4N4 \"", false),
            (
                r"\bsk-ant-[A-Za-z0-9_-]{20,}",
                "{\"n\":1,\"d\":\"AAA",
                false,
            ),
            (r"(?i-u)\bBearer\s+[a-z0-9]{16,}", "x: bearer 0123", true),
            (r"pin: (\d{6})", "my pin: 12", true),
            (r"\b\d{6}\b", "n: 123", true),
            (r"\b\d{6}\b", "n: 12", false),
            (r"\b\d{6}\b", "n: 1234567", false),
            (r"\p{Greek}{4}", "abc λμ", true),
            (r"\p{Greek}{4}", "λμ abc", false),
            (r"[\w.]+@[\w.]+", "write to bob", true),
            (r"[\w.]+@[\w.]+", "write to bob ", false),
        ] {
            let matcher = PrefixMatcher::new(expression);
            let found = matcher.may_match_beyond(text.as_bytes());
            assert_eq!(found, expected, "{expression} {text}");
        }
    }

    #[test]
    fn the_work_is_bounded() {
        // Each start reads to the last byte and fails there.
        let matcher = PrefixMatcher::new("[a-z]{1,}0[a-z]{1,}1");
        let text = [&[b'a'; WINDOW][..], b" "].concat();
        assert!(matcher.may_match_beyond(&text));
    }
}
