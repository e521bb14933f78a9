//! Matches placeholders in a recorded request with any text.
//!
//! A value that only the response reveals as a secret is redacted in the request too, for example
//! in its path. In a live request the secret is not known yet, so its key differs. Such requests
//! are compared part by part, with each placeholder as a wildcard.

use std::sync::LazyLock;

use regex::Regex;

use super::describe::{DescribedPart, Value};
use super::json::Json;
use ouli_message::glob;

/// A placeholder that names the class only, plain or percent-encoded.
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:<|%3c)[a-z][a-z0-9-]*(?:>|%3e)").expect("the expression is a constant")
});

/// True if some part contains a placeholder.
pub fn holds_placeholder(parts: &[DescribedPart]) -> bool {
    parts.iter().any(|part| match &part.value {
        Value::Text(text) => PLACEHOLDER.is_match(text),
        Value::Pairs(pairs) => pairs.iter().any(|(_, value)| PLACEHOLDER.is_match(value)),
        Value::Json(json) => json_holds_placeholder(json),
        Value::Empty | Value::Bytes(_) | Value::Fields(_) | Value::BodyParts(_) => false,
    })
}

fn json_holds_placeholder(json: &Json) -> bool {
    match json {
        Json::String(text) => PLACEHOLDER.is_match(text),
        Json::Array(elements) => elements
            .iter()
            .any(|(_, element)| json_holds_placeholder(element)),
        Json::Object(members) => members
            .iter()
            .any(|(_, value)| json_holds_placeholder(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

/// True if the live parts equal the recorded ones, with each placeholder as a wildcard.
pub fn matches_with_wildcards(recorded: &[DescribedPart], live: &[DescribedPart]) -> bool {
    recorded.len() == live.len()
        && recorded.iter().zip(live).all(|(recorded, live)| {
            recorded.name == live.name && value_matches(&recorded.value, &live.value)
        })
}

fn value_matches(recorded: &Value, live: &Value) -> bool {
    match (recorded, live) {
        (Value::Text(recorded), Value::Text(live)) => text_matches(recorded, live),
        (Value::Pairs(recorded), Value::Pairs(live)) => {
            all_match(recorded, live, |one, other| text_matches(one, other))
        }
        (Value::Json(recorded), Value::Json(live)) => json_matches(recorded, live),
        (recorded, live) => recorded == live,
    }
}

fn json_matches(recorded: &Json, live: &Json) -> bool {
    match (recorded, live) {
        (Json::String(recorded), Json::String(live)) => text_matches(recorded, live),
        (Json::Array(recorded), Json::Array(live)) => all_match(recorded, live, json_matches),
        (Json::Object(recorded), Json::Object(live)) => all_match(recorded, live, json_matches),
        (recorded, live) => recorded == live,
    }
}

/// True if both lists have the same names or indexes in the same order, and all values match.
fn all_match<N: PartialEq, V>(
    recorded: &[(N, V)],
    live: &[(N, V)],
    matches: impl Fn(&V, &V) -> bool,
) -> bool {
    let mut pairs = recorded.iter().zip(live);
    recorded.len() == live.len()
        && pairs.all(|((name, one), (other_name, other))| name == other_name && matches(one, other))
}

fn text_matches(recorded: &str, live: &str) -> bool {
    if !PLACEHOLDER.is_match(recorded) {
        return recorded == live;
    }
    let pattern = PLACEHOLDER.replace_all(recorded, "*");
    // A placeholder replaces at most one path segment or one value.
    let same_segments = recorded.matches('/').count() == live.matches('/').count();
    same_segments && glob::matches(&pattern, live)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(value: Value) -> Vec<DescribedPart> {
        let name = "part".to_owned();
        vec![DescribedPart { name, value }]
    }

    #[test]
    fn a_placeholder_matches_any_text_of_one_segment() {
        let cases = [
            ("/set/%3Ccookie%3E/x", "/set/blue/x", true),
            ("/set/<cookie>", "/set/blue", true),
            ("/set/<cookie>", "/set/blue/green", false),
            ("/set/<cookie>", "/get/blue", false),
            ("/set/blue", "/set/green", false),
            ("/set/blue", "/set/blue", true),
        ];
        for (recorded, live, expected) in cases {
            let (one, other) = (Value::Text(recorded.into()), Value::Text(live.into()));
            assert_eq!(
                matches_with_wildcards(&part(one), &part(other)),
                expected,
                "{recorded} {live}"
            );
        }
    }

    #[test]
    fn member_names_must_be_equal() {
        let object = |name: &str, value: &str| {
            let member = (name.to_owned(), Json::String(value.to_owned()));
            part(Value::Json(Json::Object(vec![member])))
        };
        assert!(holds_placeholder(&object("a", "<token>")));
        assert!(!holds_placeholder(&object("a", "token")));
        assert!(matches_with_wildcards(
            &object("a", "<token>"),
            &object("a", "x")
        ));
        assert!(!matches_with_wildcards(
            &object("a", "<token>"),
            &object("b", "x")
        ));
    }
}
