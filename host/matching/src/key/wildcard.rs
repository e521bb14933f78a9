//! Placeholders in a recorded request as what they are: any text that stood there.
//!
//! A value that turned out to be a secret only in the response is taken out of the request too, for
//! example out of its path. Nobody can see beforehand that the same place holds a secret in a live
//! request, so its key differs. Such requests are compared part by part, with each placeholder
//! standing for anything.

use std::sync::LazyLock;

use regex::Regex;

use super::describe::{DescribedPart, Value};
use super::json::Json;
use ouli_message::glob;

/// A placeholder that counts by its class, plain or as it stands in a URL.
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:<|%3c)[a-z][a-z0-9-]*(?:>|%3e)").expect("the expression is a constant")
});

/// True where a placeholder stands somewhere in the parts.
pub fn holds_placeholder(parts: &[DescribedPart]) -> bool {
    parts.iter().any(|part| match &part.value {
        Value::Text(text) => PLACEHOLDER.is_match(text),
        Value::Pairs(pairs) => pairs.iter().any(|(_, value)| PLACEHOLDER.is_match(value)),
        Value::Json(json) => json_holds(json),
        Value::Empty | Value::Bytes(_) | Value::Fields(_) | Value::BodyParts(_) => false,
    })
}

fn json_holds(json: &Json) -> bool {
    match json {
        Json::String(text) => PLACEHOLDER.is_match(text),
        Json::Array(elements) => elements.iter().any(|(_, element)| json_holds(element)),
        Json::Object(members) => members.iter().any(|(_, value)| json_holds(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

/// True where the live parts are the recorded ones, with any text in the place of a placeholder.
pub fn matches_with_wildcards(recorded: &[DescribedPart], live: &[DescribedPart]) -> bool {
    recorded.len() == live.len()
        && recorded.iter().zip(live).all(|(recorded, live)| {
            recorded.name == live.name && value_fits(&recorded.value, &live.value)
        })
}

fn value_fits(recorded: &Value, live: &Value) -> bool {
    match (recorded, live) {
        (Value::Text(recorded), Value::Text(live)) => text_fits(recorded, live),
        (Value::Pairs(recorded), Value::Pairs(live)) => {
            all_fit(recorded, live, |one, other| text_fits(one, other))
        }
        (Value::Json(recorded), Value::Json(live)) => json_fits(recorded, live),
        (recorded, live) => recorded == live,
    }
}

fn json_fits(recorded: &Json, live: &Json) -> bool {
    match (recorded, live) {
        (Json::String(recorded), Json::String(live)) => text_fits(recorded, live),
        (Json::Array(recorded), Json::Array(live)) => all_fit(recorded, live, json_fits),
        (Json::Object(recorded), Json::Object(live)) => all_fit(recorded, live, json_fits),
        (recorded, live) => recorded == live,
    }
}

/// The same names or places in the same order, each with a value that fits.
fn all_fit<N: PartialEq, V>(
    recorded: &[(N, V)],
    live: &[(N, V)],
    fits: impl Fn(&V, &V) -> bool,
) -> bool {
    let mut pairs = recorded.iter().zip(live);
    recorded.len() == live.len()
        && pairs.all(|((name, one), (other_name, other))| name == other_name && fits(one, other))
}

fn text_fits(recorded: &str, live: &str) -> bool {
    if !PLACEHOLDER.is_match(recorded) {
        return recorded == live;
    }
    let pattern = PLACEHOLDER.replace_all(recorded, "*");
    // One step of a path, or one value, is the most that a placeholder stood for.
    let same_steps = recorded.matches('/').count() == live.matches('/').count();
    same_steps && glob::matches(&pattern, live)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(value: Value) -> Vec<DescribedPart> {
        let name = "part".to_owned();
        vec![DescribedPart { name, value }]
    }

    #[test]
    fn a_placeholder_stands_for_any_text_in_its_place() {
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
    fn members_must_still_be_the_same() {
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
