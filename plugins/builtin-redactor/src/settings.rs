//! What the configuration says about the redactor.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::names::Names;

/// What to take out beside the defaults. Every setting may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) headers: Names,
    pub(crate) query: Names,
    pub(crate) form: Names,
    /// Members at any depth.
    pub(crate) json: Names,
    /// JSON pointers.
    pub(crate) json_pointers: Names,
    /// From class to regular expression.
    pub(crate) patterns: BTreeMap<String, String>,
    /// Response headers that are left out of recordings.
    pub(crate) volatile_headers: Vec<String>,
}

impl Settings {
    /// Classes and expressions are the host's to check.
    pub(crate) fn check(&self) -> Result<(), String> {
        let wrong = self
            .json_pointers
            .each()
            .find(|(pointer, _)| !pointer.starts_with('/'));
        wrong.map_or(Ok(()), |(pointer, _)| {
            Err(format!(
                "setting `json_pointers`: `{pointer}` is no JSON pointer; it begins with `/`, as \
                 `/card/number`; for a member at any depth there is `json`"
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
    fn names_are_written_as_lists_or_tables() {
        let text = r#"{"json": ["pin"], "query": {"s": "session"}, "json_pointers": ["/card/number"]}"#;
        let settings = settings(text).unwrap();
        assert_eq!(settings.json.each().collect::<Vec<_>>(), [("pin", "pin")]);
        assert_eq!(
            settings.query.each().collect::<Vec<_>>(),
            [("s", "session")]
        );
        assert_eq!(
            settings.json_pointers.each().collect::<Vec<_>>(),
            [("/card/number", "number")]
        );
        assert!(settings.headers.each().next().is_none());
    }

    #[test]
    fn faults_name_the_setting() {
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
                "setting `json_pointers`: `card` is no JSON pointer",
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
