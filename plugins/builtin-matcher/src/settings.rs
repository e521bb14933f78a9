//! The settings of the matcher.

use serde::Deserialize;

use crate::defaults::{HEADERS, QUERY, SELECTING};

/// Every setting is optional.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// False: the default lists of ignored names do not apply.
    pub(crate) defaults: bool,
    /// True: host and port of the upstream are part of the key.
    pub(crate) authority: bool,
    ignore_query: Vec<String>,
    ignore_body: Vec<String>,
    headers: Vec<String>,
    ignore_headers: Vec<String>,
    /// The places of values that clients make up. The host reads them: the contract has no part
    /// for them.
    minted: Vec<String>,
    /// The default rules for such places that do not apply. The host reads them.
    disabled_rules: Vec<String>,
}

/// In `headers`: all headers except the ignored ones.
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
            minted: Vec::new(),
            disabled_rules: Vec::new(),
        }
    }
}

impl Settings {
    /// Rejects names that match nothing. The host would ignore them silently.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Some(pointer) = self.ignore_body.iter().find(|text| !is_pointer(text)) {
            return Err(format!(
                "setting `ignore_body`: `{pointer}` is not a JSON pointer; a pointer begins with \
                 `/`, for example `/nonce`"
            ));
        }
        if let Some(name) = self.named_headers().find(|name| name.contains('*')) {
            return Err(format!(
                "setting `headers`: `{name}` is not a header name; write the full name, or `*` for \
                 all headers except the ignored ones"
            ));
        }
        if let Some(place) = self.minted.iter().find(|text| !is_minted_place(text)) {
            return Err(format!(
                "setting `minted`: `{place}` is no place; write a JSON pointer as `/id`, \
                 `query.NAME`, `header.NAME` or `path./jobs/*`"
            ));
        }
        if let Some(id) = self
            .disabled_rules
            .iter()
            .find(|id| !id.starts_with("minted."))
        {
            return Err(format!(
                "setting `disabled_rules`: the matcher has no rule `{id}`"
            ));
        }
        Ok(())
    }

    /// Query parameters that are not part of the key.
    pub(crate) fn excluded_query(&self) -> Vec<&str> {
        self.with_defaults(&self.ignore_query, QUERY)
    }

    /// JSON pointers into the body that are not part of the key.
    pub(crate) fn excluded_body(&self) -> Vec<&str> {
        self.ignore_body.iter().map(String::as_str).collect()
    }

    /// Headers that are part of the key by name, even if they are ignored otherwise.
    pub(crate) fn named_headers(&self) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .map(String::as_str)
            .filter(|name| *name != ALL)
    }

    /// Headers that are compared by default, unless they are ignored or named.
    pub(crate) fn selecting_headers(&self) -> impl Iterator<Item = &'static str> {
        let selecting = if self.defaults { SELECTING } else { &[] };
        let is_named = |name: &str| self.named_headers().any(|it| it.eq_ignore_ascii_case(name));
        let selecting = selecting.iter().copied();
        selecting.filter(move |name| !is_named(name) && !self.ignores_header(name))
    }

    fn ignores_header(&self, name: &str) -> bool {
        self.ignore_headers.iter().any(|pattern| {
            let pattern = pattern.to_ascii_lowercase();
            match pattern.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == pattern,
            }
        })
    }

    /// True if all headers except the ignored ones are part of the key.
    pub(crate) fn all_headers(&self) -> bool {
        self.headers.iter().any(|name| name == ALL)
    }

    /// Headers that are not part of the key if [`Self::all_headers`] is true.
    pub(crate) fn excluded_headers(&self) -> Vec<&str> {
        self.with_defaults(&self.ignore_headers, HEADERS)
    }

    /// Headers that do not select a response, even if its `vary` names them. `accept` is one only
    /// if it is ignored by name.
    pub(crate) fn excluded_variants(&self) -> Vec<&str> {
        let defaults = if self.defaults { HEADERS } else { &[] };
        let defaults = defaults.iter().copied().filter(|name| *name != "accept");
        let own = self.ignore_headers.iter().map(String::as_str);
        defaults.chain(own).collect()
    }

    fn with_defaults<'a>(&self, own: &'a [String], defaults: &[&'static str]) -> Vec<&'a str> {
        let defaults = if self.defaults { defaults } else { &[] };
        defaults
            .iter()
            .copied()
            .chain(own.iter().map(String::as_str))
            .collect()
    }
}

fn is_minted_place(text: &str) -> bool {
    let starts = ["query.", "header.", "path./"];
    text.starts_with('/') || starts.iter().any(|start| text.starts_with(start))
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
            settings.excluded_query().starts_with(QUERY)
                && settings.excluded_query().ends_with(&["nonce"])
        );
        assert!(settings.excluded_headers().starts_with(HEADERS));
        assert!(settings.excluded_headers().ends_with(&["x-run"]));
    }

    #[test]
    fn without_defaults_only_the_listed_names_are_ignored() {
        let settings = settings(r#"{"defaults": false, "ignore_query": ["nonce"]}"#).unwrap();
        assert_eq!(settings.excluded_query(), ["nonce"]);
        assert!(settings.excluded_headers().is_empty());
    }

    #[test]
    fn a_header_can_be_named_in_addition_to_all() {
        let settings = settings(r#"{"headers": ["*", "user-agent"]}"#).unwrap();
        assert!(settings.all_headers());
        assert_eq!(settings.named_headers().collect::<Vec<_>>(), ["user-agent"]);
    }

    #[test]
    fn headers_that_select_are_compared_unless_they_are_ignored() {
        let selecting = |text: &str| -> Vec<&str> {
            let settings = settings(text).unwrap();
            settings.selecting_headers().collect()
        };
        assert_eq!(selecting("{}"), SELECTING);
        assert!(selecting(r#"{"defaults": false}"#).is_empty());
        let some = selecting(r#"{"ignore_headers": ["If-*", "Range"], "headers": ["Prefer"]}"#);
        for name in ["range", "if-match", "if-range", "prefer"] {
            assert!(SELECTING.contains(&name) && !some.contains(&name), "{name}");
        }
        assert!(some.contains(&"x-amz-target"));
    }

    #[test]
    fn accept_selects_a_response_unless_it_is_ignored_by_name() {
        let excludes = |text: &str, name: &str| {
            let settings = settings(text).unwrap();
            settings.excluded_variants().contains(&name)
        };
        assert!(excludes("{}", "user-agent") && !excludes("{}", "accept"));
        assert!(!excludes(r#"{"defaults": false}"#, "user-agent"));
        for text in [
            r#"{"ignore_headers": ["accept"]}"#,
            r#"{"ignore_headers": ["accept"], "defaults": false}"#,
        ] {
            assert!(excludes(text, "accept"));
        }
    }

    #[test]
    fn errors_name_the_setting() {
        for (text, part) in [
            (
                r#"{"ignore_bod": []}"#,
                "unknown setting `ignore_bod`, expected one of `defaults`",
            ),
            (
                r#"{"ignore_body": ["nonce"]}"#,
                "`ignore_body`: `nonce` is not a JSON pointer",
            ),
            (
                r#"{"headers": ["x-*"]}"#,
                "`headers`: `x-*` is not a header name",
            ),
            (
                r#"{"minted": ["id"]}"#,
                "`minted`: `id` is no place; write a JSON pointer as `/id`",
            ),
            (
                r#"{"disabled_rules": ["json"]}"#,
                "`disabled_rules`: the matcher has no rule `json`",
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
