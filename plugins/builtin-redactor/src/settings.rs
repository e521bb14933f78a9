//! The settings of the redactor.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::names::Names;

/// Secrets in addition to the defaults. Every setting is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) headers: Names,
    pub(crate) query: Names,
    pub(crate) form: Names,
    /// JSON members at any depth.
    pub(crate) json: Names,
    /// JSON pointers.
    pub(crate) json_pointers: Names,
    /// Regular expressions by class.
    pub(crate) patterns: BTreeMap<String, String>,
    /// Response headers that are not recorded.
    pub(crate) volatile_headers: Vec<String>,
}

impl Settings {
    /// Checks the pointers. The host checks classes and regular expressions.
    pub(crate) fn check(&self) -> Result<(), String> {
        let invalid = self
            .json_pointers
            .iter()
            .find(|(pointer, _)| !pointer.starts_with('/'));
        invalid.map_or(Ok(()), |(pointer, _)| {
            Err(format!(
                "setting `json_pointers`: `{pointer}` is not a JSON pointer; a pointer begins \
                 with `/`, for example `/card/number`; use `json` for a member at any depth"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Settings;

    fn settings(text: &str) -> Result<Settings, String> {
        let settings: Settings = ouli_plugin::parse_settings(text)?;
        settings.check().map(|()| settings)
    }

    #[test]
    fn names_are_lists_or_tables() {
        let text =
            r#"{"json": ["pin"], "query": {"s": "session"}, "json_pointers": ["/card/number"]}"#;
        let settings = settings(text).unwrap();
        assert_eq!(settings.json.iter().collect::<Vec<_>>(), [("pin", "pin")]);
        assert_eq!(
            settings.query.iter().collect::<Vec<_>>(),
            [("s", "session")]
        );
        assert_eq!(
            settings.json_pointers.iter().collect::<Vec<_>>(),
            [("/card/number", "number")]
        );
        assert!(settings.headers.iter().next().is_none());
    }

    #[test]
    fn errors_name_the_setting() {
        for (text, part) in [
            (
                r#"{"header": []}"#,
                "unknown setting `header`, expected one of `headers`, `query`",
            ),
            (
                r#"{"json": "pin"}"#,
                "setting `json`: expected a list of names, or a table",
            ),
            (
                r#"{"json_pointers": ["card"]}"#,
                "setting `json_pointers`: `card` is not a JSON pointer",
            ),
            (
                r#"{"patterns": ["a+"]}"#,
                "setting `patterns`: invalid type",
            ),
        ] {
            let error = settings(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
