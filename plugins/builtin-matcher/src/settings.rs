//! What the configuration says about the matcher.

use serde::Deserialize;

use crate::defaults::{HEADERS, QUERY};

/// Every setting may be left out.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// False: the built-in lists of what to ignore are empty.
    pub(crate) defaults: bool,
    /// True: host and port of the upstream count.
    pub(crate) authority: bool,
    ignore_query: Vec<String>,
    ignore_body: Vec<String>,
    headers: Vec<String>,
    ignore_headers: Vec<String>,
}

/// In `headers`: every header but the ignored ones.
const ALL: &str = "*";

impl Default for Settings {
    fn default() -> Self {
        Self {
            defaults: true,
            authority: false,
            ignore_query: Vec::new(),
            ignore_body: Vec::new(),
            headers: Vec::new(),
            ignore_headers: Vec::new(),
        }
    }
}

impl Settings {
    /// What could not be looked up would be left out in silence.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Some(pointer) = self.ignore_body.iter().find(|text| !is_pointer(text)) {
            return Err(format!(
                "setting `ignore_body`: `{pointer}` is no JSON pointer; it begins with `/`, as \
                 `/nonce`"
            ));
        }
        if let Some(name) = self.named_headers().find(|name| name.contains('*')) {
            return Err(format!(
                "setting `headers`: `{name}` cannot be looked up; write the whole name, or `*` for \
                 every header but the ignored ones"
            ));
        }
        Ok(())
    }

    /// The parameters of the query that do not count.
    pub(crate) fn query_but(&self) -> Vec<&str> {
        self.and_defaults(&self.ignore_query, QUERY)
    }

    /// What does not count of the body.
    pub(crate) fn body_but(&self) -> Vec<&str> {
        self.ignore_body.iter().map(String::as_str).collect()
    }

    /// The headers that count by name, ignored or not.
    pub(crate) fn named_headers(&self) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .map(String::as_str)
            .filter(|name| *name != ALL)
    }

    /// True where every header counts but the ignored ones.
    pub(crate) fn all_headers(&self) -> bool {
        self.headers.iter().any(|name| name == ALL)
    }

    /// The headers that do not count where all do.
    pub(crate) fn headers_but(&self) -> Vec<&str> {
        self.and_defaults(&self.ignore_headers, HEADERS)
    }

    fn and_defaults<'a>(&self, own: &'a [String], defaults: &[&'static str]) -> Vec<&'a str> {
        let defaults = if self.defaults { defaults } else { &[] };
        defaults
            .iter()
            .copied()
            .chain(own.iter().map(String::as_str))
            .collect()
    }
}

/// RFC 6901, section 3.
fn is_pointer(text: &str) -> bool {
    text.is_empty() || text.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<Settings, String> {
        let settings: Settings = ouli_plugin::parse_settings(text)?;
        settings.check().map(|()| settings)
    }

    #[test]
    fn lists_are_added_to_the_defaults() {
        let settings =
            settings(r#"{"ignore_query": ["nonce"], "ignore_headers": ["x-run"]}"#).unwrap();
        assert!(
            settings.query_but().starts_with(QUERY) && settings.query_but().ends_with(&["nonce"])
        );
        assert!(settings.headers_but().starts_with(HEADERS));
        assert!(settings.headers_but().ends_with(&["x-run"]));
    }

    #[test]
    fn without_defaults_only_what_is_written_is_ignored() {
        let settings = settings(r#"{"defaults": false, "ignore_query": ["nonce"]}"#).unwrap();
        assert_eq!(settings.query_but(), ["nonce"]);
        assert!(settings.headers_but().is_empty());
    }

    #[test]
    fn a_header_may_be_named_beside_all() {
        let settings = settings(r#"{"headers": ["*", "user-agent"]}"#).unwrap();
        assert!(settings.all_headers());
        assert_eq!(settings.named_headers().collect::<Vec<_>>(), ["user-agent"]);
    }

    #[test]
    fn faults_name_the_setting() {
        for (text, part) in [
            (
                r#"{"ignore_bod": []}"#,
                "unknown setting `ignore_bod`, expected one of `defaults`",
            ),
            (
                r#"{"ignore_body": ["nonce"]}"#,
                "`ignore_body`: `nonce` is no JSON pointer",
            ),
            (
                r#"{"headers": ["x-*"]}"#,
                "`headers`: `x-*` cannot be looked up",
            ),
            (
                r#"{"headers": "accept"}"#,
                "setting `headers`: invalid type",
            ),
        ] {
            let error = settings(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
