//! `plugin test`: golden cases on the engine and the limits of production.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::difference::diff;
use super::golden_case::{Case, Role};
use crate::output::say;
use crate::{EXIT_FAILED, EXIT_OK, usage_error};
use ouli_codec::grpc::Schema;
use ouli_config::Limits;
use ouli_matching::key::{self, DescribedPart, Key};
use ouli_message::{Content, Exchange, Fields};
use ouli_plugin::{Decision, Plugin, Plugins};
use ouli_redaction::Secrets;

/// Runs all cases of a folder. `accept` writes down what the plugin answers instead.
pub(super) fn test(file: &Path, cases: Option<&Path>, accept: bool) -> u8 {
    let found = folder(file, cases).and_then(|folder| Ok((listed(&folder)?, folder)));
    let (paths, folder) = match found {
        Ok(found) => found,
        Err(reason) => return usage_error(&reason),
    };
    let mut bench = CaseRunner::new(file);
    let (mut passed, mut failed) = (0, 0);
    for path in paths {
        let name = path.strip_prefix(&folder).unwrap_or(&path).display();
        match bench.run(&path, accept) {
            Ok((about, lines)) if lines.is_empty() => {
                passed += 1;
                say!("ok    {name}: {about}");
            }
            Ok((about, lines)) => {
                failed += 1;
                say!("FAIL  {name}: {about}");
                lines.iter().for_each(|line| say!("        {line}"));
            }
            Err(CaseError::Case(reason)) => {
                failed += 1;
                say!("FAIL  {name}: {reason}");
            }
            Err(CaseError::Plugin(reason)) => return usage_error(&reason),
        }
    }
    say!("{passed} passed, {failed} failed");
    if failed == 0 { EXIT_OK } else { EXIT_FAILED }
}

/// The folder that was named, or `cases` here or beside the plugin.
fn folder(file: &Path, named: Option<&Path>) -> Result<PathBuf, String> {
    let beside = file.with_file_name("cases");
    let folders = match named {
        Some(named) => vec![named.to_owned()],
        None => vec![PathBuf::from("cases"), beside],
    };
    let found = folders.iter().find(|folder| folder.is_dir());
    found.cloned().ok_or_else(|| {
        let looked: Vec<_> = folders
            .iter()
            .map(|one| one.display().to_string())
            .collect();
        format!(
            "there is no folder {}; name the folder of the cases with --cases",
            looked.join(" or ")
        )
    })
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error| format!("cannot read {}: {error}", folder.display());
    let entries = folder.read_dir().map_err(unreadable)?;
    let mut paths: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    paths.sort();
    if paths.is_empty() {
        return Err(format!("there is no case (*.json) in {}", folder.display()));
    }
    Ok(paths)
}

enum CaseError {
    /// The case itself is wrong.
    Case(String),
    /// The plugin cannot be loaded.
    Plugin(String),
}

impl From<String> for CaseError {
    fn from(reason: String) -> Self {
        Self::Case(reason)
    }
}

/// The plugin, loaded once for each settings that cases have.
struct CaseRunner<'a> {
    file: &'a Path,
    loaded: HashMap<String, Arc<Plugin>>,
}

impl<'a> CaseRunner<'a> {
    fn new(file: &'a Path) -> Self {
        Self {
            file,
            loaded: HashMap::new(),
        }
    }

    /// What a case is about, and how what came differs from what it expects.
    fn run(&mut self, path: &Path, accept: bool) -> Result<(String, Vec<String>), CaseError> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let text = if accept {
            with_empty_expect(&text)?
        } else {
            text
        };
        let case = Case::parse(&text)?;
        let settings = Value::Object(case.settings.clone()).to_string();
        let plugin = match self.loaded.get(&settings) {
            Some(plugin) => Arc::clone(plugin),
            None => {
                let source = super::source(self.file, &settings, &Limits::default());
                let plugin = source.and_then(|source| super::load(&source));
                let plugin = plugin.map_err(CaseError::Plugin)?;
                self.loaded.insert(settings, Arc::clone(&plugin));
                plugin
            }
        };
        let trial = PluginUnderTest::new(plugin)?;
        let found = trial.answer(&case, None)?;
        if accept {
            write_expected(path, &text, &found.output)?;
            return Ok((case.description, Vec::new()));
        }
        let mut lines = Vec::new();
        if let Some(expected) = &case.expect {
            let expected = Value::Object(expected.clone());
            lines = compare_expected(&expected, &found.output);
        }
        for (kind, wanted, changes) in [
            ("same", true, &case.same),
            ("different", false, &case.different),
        ] {
            for (place, change) in changes.iter().enumerate() {
                let varied = trial.answer(&case, Some(change))?;
                if (varied.key == found.key) != wanted {
                    lines.push(format!("{kind}[{place}] has {}", key_mismatch(wanted)));
                    lines.extend(diff("key", &found.output, &varied.output, false));
                }
            }
        }
        Ok((case.description, lines))
    }
}

fn key_mismatch(wanted: bool) -> &'static str {
    if wanted {
        "another key than the request"
    } else {
        "the key of the request: no part tells them apart"
    }
}

/// Compares what is expected alone: of each message the members that are named.
fn compare_expected(expected: &Value, found: &Value) -> Vec<String> {
    let (Value::Object(expected), Value::Object(all)) = (expected, found) else {
        return diff("expect", expected, found, true);
    };
    let mut lines = Vec::new();
    for (name, value) in expected {
        match (value, all.get(name)) {
            (Value::Object(own), Some(Value::Object(found))) if name != "tags" => {
                for (member, value) in own {
                    let place = format!("expect/{name}/{member}");
                    let found = found.get(member).unwrap_or(&Value::Null);
                    lines.extend(diff(&place, value, found, member == "headers"));
                }
            }
            (Value::String(part), Some(Value::String(whole))) if name == "error" => {
                if !whole.contains(part) {
                    lines.extend(diff("expect/error", value, &all[name], true));
                }
            }
            (value, found) => {
                let found = found.unwrap_or(&Value::Null);
                let mut more = diff(&format!("expect/{name}"), value, found, true);
                if !more.is_empty() && *found == Value::Null {
                    more.push(format!("it answered {}", Value::Object(all.clone())));
                }
                lines.extend(more);
            }
        }
    }
    lines
}

/// A case that expects nothing yet may be accepted.
fn with_empty_expect(text: &str) -> Result<String, String> {
    let mut case: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    case.entry("expect").or_insert_with(|| json!({}));
    serde_json::to_string_pretty(&case).map_err(|error| error.to_string())
}

fn write_expected(path: &Path, text: &str, found: &Value) -> Result<(), String> {
    let mut case: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    case.insert("expect".to_owned(), found.clone());
    let text = serde_json::to_string_pretty(&case).map_err(|error| error.to_string())?;
    std::fs::write(path, text + "\n").map_err(|error| error.to_string())
}

/// What the plugin answered.
struct CaseResult {
    key: Option<Key>,
    output: Value,
}

/// The plugin alone, without the built-in ones.
struct PluginUnderTest {
    plugins: Plugins,
    session: Arc<str>,
}

impl PluginUnderTest {
    fn new(plugin: Arc<Plugin>) -> Result<Self, String> {
        let plugins = Plugins::new(vec![plugin], &[], Schema::default());
        Ok(Self {
            plugins: plugins.map_err(|error| error.to_string())?,
            session: "test".into(),
        })
    }

    fn answer(
        &self,
        case: &Case,
        change: Option<&Map<String, Value>>,
    ) -> Result<CaseResult, String> {
        let exchange = case.exchange(change)?;
        let secrets = Arc::new(Secrets::default());
        let failed = |error: ouli_plugin::PluginFailure| CaseResult {
            key: None,
            output: json!({"error": error.reason}),
        };
        Ok(match case.role {
            Role::Matcher => self.key(exchange, &secrets).unwrap_or_else(failed),
            Role::Redactor => self
                .plugins
                .redact(exchange, &self.session, &secrets)
                .map_or_else(failed, |redacted| CaseResult {
                    key: None,
                    output: messages(&redacted.exchange),
                }),
            Role::RecordingPolicy => self
                .plugins
                .decide(&exchange, &self.session, &secrets)
                .map_or_else(failed, |decision| CaseResult {
                    key: None,
                    output: verdict(decision),
                }),
        })
    }

    fn key(
        &self,
        exchange: Exchange,
        secrets: &Arc<Secrets>,
    ) -> Result<CaseResult, ouli_plugin::PluginFailure> {
        let request = Arc::new(exchange.request);
        let (endpoint, session) = (exchange.endpoint.into(), Arc::clone(&self.session));
        let view = self
            .plugins
            .view(endpoint, session, request, Arc::clone(secrets))?;
        let key = self.plugins.key(&view, secrets)?.key;
        let parts = self.plugins.describe(&view, secrets)?;
        Ok(CaseResult {
            key: Some(key),
            output: json!({"parts": parts_of(&parts)}),
        })
    }
}

/// The parts of a key by name; of equal names all values.
fn parts_of(parts: &[DescribedPart]) -> Value {
    let mut shown: Map<String, Value> = Map::new();
    for part in parts {
        let value = value(&part.value);
        match shown.get_mut(&part.name) {
            Some(Value::Array(values)) if is_repeated(parts, &part.name) => values.push(value),
            Some(_) | None => {
                let repeated = is_repeated(parts, &part.name);
                let value = if repeated { json!([value]) } else { value };
                shown.insert(part.name.clone(), value);
            }
        }
    }
    Value::Object(shown)
}

fn is_repeated(parts: &[DescribedPart], name: &str) -> bool {
    parts.iter().filter(|part| part.name == name).count() > 1
}

fn value(value: &key::Value) -> Value {
    let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({"base64": STANDARD.encode(bytes)}),
    };
    match value {
        key::Value::Empty => Value::Null,
        key::Value::Text(text) => json!(text),
        key::Value::Bytes(bytes) => text(bytes),
        key::Value::Fields(fields) => {
            let fields = fields.iter();
            fields
                .map(|(name, bytes)| json!([name, text(bytes)]))
                .collect()
        }
        key::Value::Pairs(pairs) => pairs.iter().map(|pair| json!(pair)).collect(),
        key::Value::Json(json) => {
            let text = json.to_string();
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        key::Value::BodyParts(sections) => sections
            .iter()
            .map(|section| json!({"name": section.name, "content": self::value(&section.content)}))
            .collect(),
    }
}

fn messages(exchange: &Exchange) -> Value {
    let (request, response) = (&exchange.request, &exchange.response);
    let mut asked = message(&request.fields, &request.body);
    asked.insert("target".to_owned(), json!(request.target));
    let answered = message(&response.fields, &response.body);
    json!({"request": asked, "response": answered})
}

fn message(fields: &Fields, body: &Content) -> Map<String, Value> {
    let mut shown = Map::new();
    let mut headers = Map::new();
    for (name, _) in fields.iter() {
        let values = fields.get_all(name.as_str());
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        let value = match values.as_slice() {
            [one] => json!(one),
            more => json!(more),
        };
        headers.insert(name.to_string(), value);
    }
    shown.insert("headers".to_owned(), Value::Object(headers));
    let bytes = body.inline();
    match (
        serde_json::from_slice::<Value>(bytes),
        std::str::from_utf8(bytes),
    ) {
        (Ok(json), _) => shown.insert("json".to_owned(), json),
        (Err(_), Ok("")) => None,
        (Err(_), Ok(text)) => shown.insert("text".to_owned(), json!(text)),
        (Err(_), Err(_)) => shown.insert("base64".to_owned(), json!(STANDARD.encode(bytes))),
    };
    shown
}

fn verdict(decision: Decision) -> Value {
    match decision {
        Decision::Skip(reason) => json!({"skip": reason}),
        Decision::Keep(tags) => {
            let tags: Map<_, _> = tags
                .into_iter()
                .map(|(n, v)| (n, Value::String(v)))
                .collect();
            json!({"keep": true, "tags": tags})
        }
    }
}
