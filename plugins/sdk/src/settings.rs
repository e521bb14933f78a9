//! A plugin's `settings` from the configuration, checked and ready for use.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::raw;

/// The settings of this plugin. The type needs `#[serde(default, deny_unknown_fields)]`: then every
/// setting may be left out, and one that is misspelt is an error.
pub fn settings<T: DeserializeOwned>() -> Result<T, String> {
    parse_settings(&raw::settings())
}

/// The same from a JSON text. An error tells all faults at once, each with the name of its setting.
pub fn parse_settings<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let all: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("settings: {error}"))?;
    // One by one first: serde stops at the first fault, and does not name the setting.
    let faults: Vec<String> = all
        .iter()
        .filter_map(|(name, value)| fault::<T>(name, value))
        .collect();
    if !faults.is_empty() {
        return Err(faults.join("; "));
    }
    serde_json::from_value(Value::Object(all)).map_err(|error| format!("settings: {error}"))
}

fn fault<T: DeserializeOwned>(name: &str, value: &Value) -> Option<String> {
    let alone = Map::from_iter([(name.to_owned(), value.clone())]);
    let error = serde_json::from_value::<T>(Value::Object(alone))
        .err()?
        .to_string();
    Some(match error.strip_prefix("unknown field") {
        Some(rest) => match nearest(name, rest) {
            Some(meant) => format!("unknown setting{rest}: did you mean `{meant}`?"),
            None => format!("unknown setting{rest}"),
        },
        None => format!("setting `{name}`: {error}"),
    })
}

/// The setting that was probably meant, of those that serde names in back quotes.
fn nearest<'e>(name: &str, error: &'e str) -> Option<&'e str> {
    let known = error
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|known| *known != name);
    let (distance, known) = known.map(|known| (distance(name, known), known)).min()?;
    // A third of the letters may differ; anything more is a guess.
    (distance * 3 <= known.len().max(3)).then_some(known)
}

/// How many letters must be put in, taken out or replaced to make one word of the other.
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
    fn every_setting_may_be_left_out() {
        let settings: Settings = parse("{}").unwrap();
        assert!(settings.names.is_empty() && !settings.strict);
        let settings: Settings = parse(r#"{"names": ["a"], "strict": true}"#).unwrap();
        assert!(settings.names == ["a"] && settings.strict);
    }

    #[test]
    fn faults_name_the_setting_and_what_is_known() {
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
    fn a_misspelt_setting_is_told_which_was_meant() {
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
    fn distances_count_single_letters() {
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
