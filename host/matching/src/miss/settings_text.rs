//! The settings of `[matcher]` as text that a user can paste: TOML, and flags of a command.

use serde_json::{Map, Value};

/// The section `[matcher]` with all its settings.
pub(super) fn section(settings: &Map<String, Value>) -> String {
    let mut text = "[matcher]\n".to_owned();
    for (key, value) in settings {
        text.push_str(&format!("{key} = {}\n", toml(value)));
    }
    text
}

/// The settings with these keys as `--set` flags for a shell.
pub(super) fn flags(settings: &Map<String, Value>, keys: &[&str]) -> String {
    let changed = settings
        .iter()
        .filter(|(key, _)| keys.contains(&key.as_str()));
    let flags = changed.map(|(key, value)| {
        let assignment = format!("matcher.{key}={}", toml(value));
        format!("--set {}", single_quoted(&assignment))
    });
    flags.collect::<Vec<_>>().join(" ")
}

/// A value as TOML 1.0. The settings of the matcher are strings, booleans and lists; JSON numbers
/// are TOML numbers, and nothing is written for null, which TOML lacks.
fn toml(value: &Value) -> String {
    match value {
        Value::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(toml).collect();
            format!("[{}]", elements.join(", "))
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                format!("{} = {}", toml(&Value::from(name.as_str())), toml(value))
            };
            let members: Vec<_> = members.iter().map(member).collect();
            format!("{{ {} }}", members.join(", "))
        }
        // A TOML string equals the JSON string except for one character.
        Value::String(_) => value.to_string().replace('\u{7f}', "\\u007f"),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A word of a POSIX shell.
fn single_quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Map<String, Value> {
        let json = r#"{"authority": false, "headers": [], "ignore_query": ["a'b", "c\"\n\u007f"]}"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_section_is_toml_and_the_flags_are_words_of_a_shell() {
        let expected = concat!(
            "[matcher]\n",
            "authority = false\n",
            "headers = []\n",
            r#"ignore_query = ["a'b", "c\"\n\u007f"]"#,
            "\n"
        );
        assert_eq!(section(&settings()), expected);
        assert_eq!(
            flags(&settings(), &["ignore_query", "authority"]),
            concat!(
                "--set 'matcher.authority=false' ",
                r#"--set 'matcher.ignore_query=["a'\''b", "c\"\n\u007f"]'"#
            )
        );
    }
}
