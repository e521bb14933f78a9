//! Parsers of single values: each takes a node and returns its value, or what to write instead.

use std::time::Duration;

use serde_json::{Number, Value as Json};

use crate::choice::Choice;
use crate::config_error::ValueError;
use crate::spelling::closest_match;
use crate::units::{ByteSize, HumanDuration};
use crate::value_tree::{Node, Value};

/// A string.
pub(super) fn text(node: &Node) -> Result<String, ValueError> {
    if let Value::String(text) = &node.value {
        return Ok(text.clone());
    }
    if let Some(raw) = &node.raw {
        return Ok(raw.clone());
    }
    let problem = expected("a string", node);
    Err(match node.scalar() {
        Some(scalar) => problem.with_hint(format!("write \"{scalar}\"")),
        None => problem.with_hint("write one text in quotes"),
    })
}

/// `true` or `false`.
pub(super) fn flag(node: &Node) -> Result<bool, ValueError> {
    match node.value {
        Value::Boolean(flag) => Ok(flag),
        Value::String(_) => {
            let problem = expected("true or false", node);
            Err(problem.with_hint("write true or false, without quotes"))
        }
        _ => Err(expected("true or false", node).with_hint("write true or false")),
    }
}

/// One word of a fixed set.
pub(super) fn choice<T: Choice>(node: &Node) -> Result<T, ValueError> {
    let words: Vec<_> = T::ALL.iter().map(Choice::as_str).collect();
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let allowed = quoted.join(", ");
    let word = text(node).map_err(|problem| problem.with_hint(format!("allowed: {allowed}")))?;
    let found = T::ALL.iter().find(|choice| choice.as_str() == word);
    found
        .copied()
        .ok_or_else(|| unknown_word(&word, &words, &allowed))
}

/// A word outside of a fixed set: what was probably meant, and all that is allowed.
pub(super) fn unknown_word(word: &str, words: &[&str], allowed: &str) -> ValueError {
    let meant = closest_match(word, words);
    let meant = meant.map_or(String::new(), |word| format!("did you mean \"{word}\"? "));
    ValueError::new(format!("unknown value {word:?}"))
        .with_hint(format!("{meant}allowed: {allowed}"))
}

/// A count: an integer that is not negative.
pub(super) fn count(node: &Node) -> Result<u64, ValueError> {
    match node.value {
        Value::Integer(number) => u64::try_from(number).map_err(|_| {
            let problem = ValueError::new(format!("{number} is negative"));
            problem.with_hint("write 0 or a larger integer")
        }),
        _ => Err(expected("an integer", node).with_hint("write digits without quotes")),
    }
}

/// A size: an integer in bytes, or a string with a unit.
pub(super) fn byte_size(node: &Node) -> Result<u64, ValueError> {
    match &node.value {
        Value::Integer(_) => count(node),
        Value::String(text) => text.parse::<ByteSize>().map(|size| size.0),
        _ => Err(expected("a size", node).with_hint("write an integer or \"64KiB\"")),
    }
}

/// A duration: a string with a unit.
pub(super) fn duration(node: &Node) -> Result<Duration, ValueError> {
    match &node.value {
        Value::String(text) => text.parse::<HumanDuration>().map(|time| time.0),
        Value::Integer(number) => {
            let problem = ValueError::new(format!("the duration {number} has no unit"));
            Err(problem.with_hint(format!("write \"{number}s\" or \"{number}ms\"")))
        }
        _ => Err(expected("a duration", node).with_hint("write \"10s\" or \"10ms\"")),
    }
}

/// Any value, as JSON.
pub(super) fn json(node: &Node) -> Result<Json, ValueError> {
    Ok(match &node.value {
        Value::String(text) | Value::Datetime(text) => Json::String(text.clone()),
        Value::Integer(number) => Json::from(*number),
        Value::Float(number) => Number::from_f64(*number).map(Json::Number).ok_or_else(|| {
            let problem = ValueError::new(format!("JSON has no number {number}"));
            problem.with_hint("write a finite number")
        })?,
        Value::Boolean(flag) => Json::Bool(*flag),
        Value::Array(items) => items.iter().map(json).collect::<Result<_, _>>()?,
        Value::Table(table) => {
            let entries = table
                .iter()
                .map(|(key, node)| Ok((key.clone(), json(node)?)));
            Json::Object(entries.collect::<Result<_, _>>()?)
        }
    })
}

/// A value of the wrong type.
pub(super) fn expected(what: &str, node: &Node) -> ValueError {
    ValueError::new(format!("expected {what}, found {}", node.describe()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_may_be_an_integer_and_a_duration_may_not() {
        let number = Node::without_line(Value::Integer(4096));
        assert_eq!(byte_size(&number), Ok(4096));
        assert!(duration(&number).unwrap_err().hint.is_some());
    }
}
