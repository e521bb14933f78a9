//! A plugin's `settings` from the configuration, checked and ready for use.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::bindings::matcher::ouli::gateway::host;

/// The settings of this plugin. The type needs `#[serde(default, deny_unknown_fields)]`: then every
/// setting may be left out, and one that is misspelt is an error.
pub fn read<T: DeserializeOwned>() -> Result<T, String> {
    parse(&host::settings())
}

/// The same from a JSON text. An error tells all faults at once, each with the name of its setting.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
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
        Some(rest) => format!("unknown setting{rest}"),
        None => format!("setting `{name}`: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::parse;

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
        let error = parse::<Settings>(r#"{"nam": [], "strict": 1}"#).unwrap_err();
        let expected = "unknown setting `nam`, expected `names` or `strict`; \
                        setting `strict`: invalid type: integer `1`, expected a boolean";
        assert_eq!(error, expected);
        assert!(
            parse::<Settings>("[]")
                .unwrap_err()
                .starts_with("settings: invalid type")
        );
    }
}
