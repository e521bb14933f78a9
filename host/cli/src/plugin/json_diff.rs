//! How what was expected and what came differ, place by place.

use serde_json::Value;

/// Adds a line for each place at which the values differ. `only` leaves out what was not expected.
pub(super) fn diff(place: &str, expected: &Value, found: &Value, only: bool) -> Vec<String> {
    let mut lines = Vec::new();
    compare(place, Some(expected), Some(found), only, &mut lines);
    lines
}

fn compare(
    place: &str,
    expected: Option<&Value>,
    found: Option<&Value>,
    only: bool,
    into: &mut Vec<String>,
) {
    match (expected, found) {
        (Some(Value::Object(expected)), Some(Value::Object(found))) => {
            for (name, value) in expected {
                let place = format!("{place}/{name}");
                compare(&place, Some(value), found.get(name), false, into);
            }
            if only {
                return;
            }
            for (name, value) in found
                .iter()
                .filter(|(name, _)| !expected.contains_key(*name))
            {
                compare(&format!("{place}/{name}"), None, Some(value), false, into);
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(found))) => {
            for place_of in 0..expected.len().max(found.len()) {
                let place = format!("{place}/{place_of}");
                let (expected, found) = (expected.get(place_of), found.get(place_of));
                compare(&place, expected, found, false, into);
            }
        }
        (expected, found) if expected == found => {}
        (Some(Value::Null), None) => {}
        (expected, found) => {
            into.push(format!("at {place}"));
            into.push(format!("- {}", shown(expected)));
            into.push(format!("+ {}", shown(found)));
        }
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_place_has_its_lines() {
        let expected = json!({"a": 1, "b": [1, 2], "c": {"d": "x"}, "gone": null});
        let found = json!({"a": 1, "b": [1, 3], "c": {"d": "x", "e": true}, "more": 5});
        let lines = diff("body", &expected, &found, true);
        let expected_lines = [
            "at body/b/1",
            "- 2",
            "+ 3",
            "at body/c/e",
            "- nothing",
            "+ true",
        ];
        assert_eq!(lines, expected_lines);
        let all = diff("body", &expected, &found, false);
        assert_eq!(all.len(), 9, "{all:?}");
    }
}
