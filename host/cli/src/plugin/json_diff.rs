//! The differences between two JSON values, by path.

use serde_json::Value;

/// Three lines for each path at which the values differ. `only_expected` ignores members that are
/// not expected.
pub(super) fn diff(
    path: &str,
    expected: &Value,
    actual: &Value,
    only_expected: bool,
) -> Vec<String> {
    let mut lines = Vec::new();
    compare(
        path,
        Some(expected),
        Some(actual),
        only_expected,
        &mut lines,
    );
    lines
}

fn compare(
    path: &str,
    expected: Option<&Value>,
    actual: Option<&Value>,
    only_expected: bool,
    lines: &mut Vec<String>,
) {
    match (expected, actual) {
        (Some(Value::Object(expected)), Some(Value::Object(actual))) => {
            for (name, value) in expected {
                let path = format!("{path}/{name}");
                compare(&path, Some(value), actual.get(name), false, lines);
            }
            if only_expected {
                return;
            }
            for (name, value) in actual
                .iter()
                .filter(|(name, _)| !expected.contains_key(*name))
            {
                compare(&format!("{path}/{name}"), None, Some(value), false, lines);
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(actual))) => {
            for index in 0..expected.len().max(actual.len()) {
                let path = format!("{path}/{index}");
                let (expected, actual) = (expected.get(index), actual.get(index));
                compare(&path, expected, actual, false, lines);
            }
        }
        (expected, actual) if expected == actual => {}
        (Some(Value::Null), None) => {}
        (expected, actual) => {
            lines.push(format!("at {path}"));
            lines.push(format!("- {}", text(expected)));
            lines.push(format!("+ {}", text(actual)));
        }
    }
}

fn text(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_difference_has_three_lines() {
        let expected = json!({"a": 1, "b": [1, 2], "c": {"d": "x"}, "gone": null});
        let actual = json!({"a": 1, "b": [1, 3], "c": {"d": "x", "e": true}, "more": 5});
        let lines = diff("body", &expected, &actual, true);
        let expected_lines = [
            "at body/b/1",
            "- 2",
            "+ 3",
            "at body/c/e",
            "- nothing",
            "+ true",
        ];
        assert_eq!(lines, expected_lines);
        let all = diff("body", &expected, &actual, false);
        assert_eq!(all.len(), 9, "{all:?}");
    }
}
