//! The plugin's `settings` from the configuration.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::raw;

/// The settings of this plugin. The type should have `#[serde(default, deny_unknown_fields)]`: then
/// every setting is optional, and a misspelt name is an error.
pub fn settings<T: DeserializeOwned>() -> Result<T, String> {
    parse_settings(&raw::settings())
}

/// Parses settings from JSON text. The error lists all invalid settings by name.
pub fn parse_settings<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let all: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("settings: {error}"))?;
    // Each setting is checked alone, because serde stops at the first error and does not name the
    // setting.
    let errors: Vec<String> = all
        .iter()
        .filter_map(|(name, value)| check_setting::<T>(name, value))
        .collect();
    if !errors.is_empty() {
        return Err(errors.join("; "));
    }
    serde_json::from_value(Value::Object(all)).map_err(|error| format!("settings: {error}"))
}

/// The error of one setting, if it is invalid.
fn check_setting<T: DeserializeOwned>(name: &str, value: &Value) -> Option<String> {
    let alone = Map::from_iter([(name.to_owned(), value.clone())]);
    let error = serde_json::from_value::<T>(Value::Object(alone))
        .err()?
        .to_string();
    Some(match error.strip_prefix("unknown field") {
        Some(rest) => match nearest(name, rest) {
            Some(known) => format!("unknown setting{rest}: did you mean `{known}`?"),
            None => format!("unknown setting{rest}"),
        },
        None => format!("setting `{name}`: {error}"),
    })
}

/// The known setting with the most similar name. `error` lists the known ones in back quotes.
fn nearest<'e>(name: &str, error: &'e str) -> Option<&'e str> {
    let known = error
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|known| *known != name);
    let (distance, known) = known.map(|known| (distance(name, known), known)).min()?;
    // At most a third of the letters may differ.
    (distance * 3 <= known.len().max(3)).then_some(known)
}

/// The Levenshtein distance of two words.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, own) in from.bytes().enumerate() {
        let mut corner = above;
        row[0] = above + 1;
        for (column, other) in to.bytes().enumerate() {
            let replaced = corner + usize::from(own != other);
            corner = row[column + 1];
            row[column + 1] = replaced.min(corner + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{distance, parse_settings as parse};

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Settings {
        names: Vec<String>,
        strict: bool,
    }

    #[test]
    fn every_setting_is_optional() {
        let settings: Settings = parse("{}").unwrap();
        assert!(settings.names.is_empty() && !settings.strict);
        let settings: Settings = parse(r#"{"names": ["a"], "strict": true}"#).unwrap();
        assert!(settings.names == ["a"] && settings.strict);
    }

    #[test]
    fn errors_name_the_setting_and_the_known_ones() {
        let error = parse::<Settings>(r#"{"other": [], "strict": 1}"#).unwrap_err();
        let expected = "unknown setting `other`, expected `names` or `strict`; \
                        setting `strict`: invalid type: integer `1`, expected a boolean";
        assert_eq!(error, expected);
        assert!(
            parse::<Settings>("[]")
                .unwrap_err()
                .starts_with("settings: invalid type")
        );
    }

    #[test]
    fn a_misspelt_setting_gets_a_suggestion() {
        for (name, hint) in [
            ("name", Some("did you mean `names`?")),
            ("stritc", Some("did you mean `strict`?")),
            ("NAMES", None),
            ("", None),
        ] {
            let error = parse::<Settings>(&format!("{{{name:?}: []}}")).unwrap_err();
            let end = hint.unwrap_or("expected `names` or `strict`");
            assert!(error.ends_with(end), "{name}: {error}");
        }
    }

    #[test]
    fn distances_count_single_letter_edits() {
        for (from, to, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("names", "names", 0),
        ] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }
}
