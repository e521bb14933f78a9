//! Runs a golden case on the plugin under test and compares the result.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::actual_result::PluginUnderTest;
use super::golden_case::Case;
use super::json_diff::diff;
use super::load;
use ouli_config::Limits;
use ouli_plugin::Plugin;

/// The largest file of a case, in bytes.
const MAX_CASE_SIZE: usize = 64 << 20;

/// Why a case was not run.
pub(super) enum CaseError {
    /// The case is invalid.
    Case(String),
    /// The plugin cannot be loaded.
    Plugin(String),
}

impl From<String> for CaseError {
    fn from(reason: String) -> Self {
        Self::Case(reason)
    }
}

/// The plugin under test, loaded once for each distinct `settings` of the cases.
pub(super) struct CaseRunner<'a> {
    file: &'a Path,
    loaded: HashMap<String, Prepared>,
}

/// A plugin, or why its `prepare` rejects the settings.
type Prepared = Result<Arc<Plugin>, String>;

impl<'a> CaseRunner<'a> {
    pub(super) fn new(file: &'a Path) -> Self {
        Self {
            file,
            loaded: HashMap::new(),
        }
    }

    /// Runs a case. Returns its description, and how the result differs from the expected one.
    pub(super) fn run(
        &mut self,
        path: &Path,
        bless: bool,
    ) -> Result<(String, Vec<String>), CaseError> {
        let text = ouli_files::read_text(path, MAX_CASE_SIZE).map_err(|error| error.to_string())?;
        let text = if bless {
            with_empty_expect(&text)?
        } else {
            text
        };
        let case = Case::parse(&text)?;
        let settings = Value::Object(case.settings.clone()).to_string();
        let plugin = match self.load(settings)? {
            Ok(plugin) => PluginUnderTest::new(plugin)?,
            Err(reason) => return Ok(rejected(path, &text, case, &reason, bless)?),
        };
        let actual = plugin.call(&case, None)?;
        if bless {
            write_expected(path, &text, &actual.output)?;
            return Ok((case.description, Vec::new()));
        }
        let mut lines = Vec::new();
        if let Some(expected) = &case.expect {
            let expected = Value::Object(expected.clone());
            lines = compare_expected(&expected, &actual.output);
        }
        for (kind, same_key, changes) in [
            ("same", true, &case.same),
            ("different", false, &case.different),
        ] {
            for (index, change) in changes.iter().enumerate() {
                let changed = plugin.call(&case, Some(change))?;
                if actual.matches(&changed) != same_key {
                    lines.push(format!("{kind}[{index}] has {}", key_mismatch(same_key)));
                    let names = actual.mismatches(&changed).into_iter();
                    lines.extend(
                        names.map(|name| format!("header.{name}: selects another response")),
                    );
                    lines.extend(diff("key", &actual.output, &changed.output, false));
                }
            }
        }
        Ok((case.description, lines))
    }

    fn load(&mut self, settings: String) -> Result<Prepared, CaseError> {
        if let Some(prepared) = self.loaded.get(&settings) {
            return Ok(prepared.clone());
        }
        let source = load::source(self.file, &settings, &Limits::default());
        let prepared = source.and_then(|source| load::prepare(&source));
        let prepared = prepared.map_err(CaseError::Plugin)?;
        self.loaded.insert(settings, prepared.clone());
        Ok(prepared)
    }
}

/// The result of a case whose settings `prepare` rejects: the error that it expects, or a failure.
fn rejected(
    path: &Path,
    text: &str,
    case: Case,
    reason: &str,
    bless: bool,
) -> Result<(String, Vec<String>), String> {
    let actual = json!({"error": reason});
    if bless {
        write_expected(path, text, &actual)?;
        return Ok((case.description, Vec::new()));
    }
    let expected = case
        .expect
        .filter(|expected| expected.contains_key("error"));
    let lines = match expected {
        Some(expected) => compare_expected(&Value::Object(expected), &actual),
        None => vec![reason.to_owned()],
    };
    Ok((case.description, lines))
}

fn key_mismatch(same_key: bool) -> &'static str {
    if same_key {
        "another key than the request"
    } else {
        "the key of the request: no part differs"
    }
}

/// Compares the members that the case expects, and ignores all others.
fn compare_expected(expected: &Value, actual: &Value) -> Vec<String> {
    let (Value::Object(expected), Value::Object(all)) = (expected, actual) else {
        return diff("expect", expected, actual, true);
    };
    let mut lines = Vec::new();
    for (name, value) in expected {
        match (value, all.get(name)) {
            (Value::Object(members), Some(Value::Object(actual))) if name != "tags" => {
                for (member, value) in members {
                    let path = format!("expect/{name}/{member}");
                    let actual = actual.get(member).unwrap_or(&Value::Null);
                    lines.extend(diff(&path, value, actual, member == "headers"));
                }
            }
            (Value::String(part), Some(Value::String(whole))) if name == "error" => {
                if !whole.contains(part) {
                    lines.extend(diff("expect/error", value, &all[name], true));
                }
            }
            (value, actual) => {
                let actual = actual.unwrap_or(&Value::Null);
                let mut more = diff(&format!("expect/{name}"), value, actual, true);
                if !more.is_empty() && *actual == Value::Null {
                    more.push(format!("the result is {}", Value::Object(all.clone())));
                }
                lines.extend(more);
            }
        }
    }
    lines
}

/// The case with an empty `expect` if it has none, so that it can be blessed.
fn with_empty_expect(text: &str) -> Result<String, String> {
    let mut case: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    case.entry("expect").or_insert_with(|| json!({}));
    serde_json::to_string_pretty(&case).map_err(|error| error.to_string())
}

fn write_expected(path: &Path, text: &str, actual: &Value) -> Result<(), String> {
    let mut case: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    case.insert("expect".to_owned(), actual.clone());
    let text = serde_json::to_string_pretty(&case).map_err(|error| error.to_string())?;
    ouli_files::write(path, (text + "\n").as_bytes()).map_err(|error| error.to_string())
}
