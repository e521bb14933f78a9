//! Settings of the command line, which override those of the file.

use crate::config_error::{ConfigError, ErrorCollector, ValueError};
use crate::endpoint;
use crate::spelling::{closest_match, quote_key};
use crate::value_parsers::text;
use crate::value_tree::{self, Node, Table, Value};

/// One setting of the command line. It overrides the file and earlier settings.
///
/// Keys are dotted as in TOML. A table of an array is selected by its `name` or `file`:
/// `endpoint.api.listen`, `plugin."ids.wasm".settings.depth`. `endpoint.listen` is for the only
/// endpoint. `mode` and `session` also override the values of single endpoints.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    key: String,
    value: Node,
    /// What the user typed, if it is not the key.
    flag: Option<String>,
    /// The argument of `--set`; none for a flag of its own.
    assignment: Option<String>,
}

impl Override {
    /// A string, which is not parsed.
    pub fn text(key: &str, value: impl Into<String>) -> Self {
        Self::new(key, Value::String(value.into()), None)
    }

    /// A list of strings.
    pub fn list(key: &str, values: &[String]) -> Self {
        let items = values
            .iter()
            .cloned()
            .map(Value::String)
            .map(Node::without_line);
        Self::new(key, Value::Array(items.collect()), None)
    }

    /// `true` or `false`.
    pub fn flag(key: &str, value: bool) -> Self {
        Self::new(key, Value::Boolean(value), None)
    }

    /// `KEY=VALUE`: VALUE is parsed as TOML, otherwise it is a string. None if `=` or the key is
    /// missing.
    pub fn parse(written: &str) -> Option<Self> {
        let (key, value) = written.split_once('=')?;
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() {
            return None;
        }
        let parsed = value_tree::parse_assignment(&format!("value = {value}"));
        let (parsed, raw) = match parsed {
            Some((_, parsed @ (Value::Array(_) | Value::Table(_) | Value::String(_)))) => {
                (parsed, None)
            }
            Some((_, parsed)) => (parsed, Some(value.to_owned())),
            None => (Value::String(value.to_owned()), None),
        };
        Some(Self {
            assignment: Some(written.to_owned()),
            ..Self::new(key, parsed, raw)
        })
    }

    /// The dotted key.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// The argument of `--set`; none for a flag of its own.
    pub(super) fn assignment(&self) -> Option<&str> {
        self.assignment.as_deref()
    }

    /// The strings of the value.
    pub(super) fn texts(&self) -> Vec<&str> {
        let nodes = match &self.value.value {
            Value::Array(items) => items.as_slice(),
            _ => std::slice::from_ref(&self.value),
        };
        let texts = nodes.iter().filter_map(|node| match &node.value {
            Value::String(text) => Some(text.as_str()),
            Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_)
            | Value::Table(_) => None,
        });
        texts.collect()
    }

    fn new(key: &str, value: Value, raw: Option<String>) -> Self {
        let mut value = Node::without_line(value);
        value.raw = raw;
        Self {
            key: key.to_owned(),
            value,
            flag: None,
            assignment: None,
        }
    }

    /// The same setting, typed as the flag that is named as the last part of its key: `--upstream`
    /// for `endpoint.upstream`. Errors name the flag.
    #[must_use]
    pub fn typed_as_flag(mut self) -> Self {
        let last = self.key.rsplit('.').next().unwrap_or_default();
        self.flag = Some(format!("--{}", last.replace('_', "-")));
        self
    }

    /// True if an error in this key is one of this setting. An endpoint has its index or its name
    /// in the key of an error.
    fn is_at(&self, key: &str) -> bool {
        match self.key.strip_prefix("endpoint.") {
            Some(last) => {
                key.starts_with("endpoint")
                    && key.rsplit_once('.').is_some_and(|(_, found)| found == last)
            }
            None => key == self.key || key.strip_prefix(&*self.key).is_some_and(is_index),
        }
    }
}

fn is_index(rest: &str) -> bool {
    rest.starts_with('[')
}

/// Names the flag in the errors of the values that were typed as flags.
pub(super) fn name_flags(overrides: &[Override], errors: &mut [ConfigError]) {
    // The values of a file have a line.
    for error in errors.iter_mut().filter(|error| error.line.is_none()) {
        let mut last_first = overrides.iter().rev();
        let found = last_first.find(|setting| setting.is_at(&error.key));
        if let Some(flag) = found.and_then(|setting| setting.flag.as_deref()) {
            flag.clone_into(&mut error.key);
        }
    }
}

/// Applies the overrides to the table of the file, in order.
pub(super) fn apply(overrides: &[Override], root: &mut Table, errors: &ErrorCollector) {
    for Override { key, value, .. } in overrides {
        let Some(path) = parse_key_path(key) else {
            let problem = ValueError::new("not a valid key");
            let hint = "write dotted TOML keys, as in `limits.connections=100`";
            errors.add(key, None, problem.with_hint(hint));
            continue;
        };
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        if let Err(problem) = set(root, &path, value) {
            errors.add(key, None, problem);
        }
    }
}

fn set(root: &mut Table, path: &[&str], value: &Node) -> Result<(), ValueError> {
    match path {
        ["endpoint", key] => insert(sole_endpoint(root, key)?, &[key], value),
        ["endpoint", key, rest @ ..] if endpoint::KEYS.contains(key) => {
            insert(sole_endpoint(root, key)?, &[&[*key], rest].concat(), value);
        }
        ["endpoint", name, rest @ ..] => insert(named_endpoint(root, name)?, rest, value),
        ["plugin", file, rest @ ..] if !rest.is_empty() => insert(plugin(root, file), rest, value),
        [key @ ("mode" | "session")] => {
            for endpoint in array_items(root, "endpoint") {
                if let Value::Table(table) = &mut endpoint.value {
                    table.remove(*key);
                }
            }
            insert(root, path, value);
        }
        path => insert(root, path, value),
    }
    Ok(())
}

/// Sets the value at a path. A value on the way that is not a table is replaced by one.
fn insert(table: &mut Table, path: &[&str], value: &Node) {
    let Some((key, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        table.insert((*key).to_owned(), value.clone());
        return;
    }
    let next = table
        .entry((*key).to_owned())
        .or_insert_with(|| Node::without_line(Value::Table(Table::new())));
    insert(as_table(next), rest, value);
}

fn as_table(node: &mut Node) -> &mut Table {
    if !matches!(node.value, Value::Table(_)) {
        node.value = Value::Table(Table::new());
    }
    let Value::Table(table) = &mut node.value else {
        unreachable!("replaced by a table above");
    };
    table
}

/// The items of an array of tables; empty if the file has none.
fn array_items<'t>(root: &'t mut Table, key: &str) -> &'t mut Vec<Node> {
    let list = root
        .entry(key.to_owned())
        .or_insert_with(|| Node::without_line(Value::Array(Vec::new())));
    if !matches!(list.value, Value::Array(_)) {
        list.value = Value::Array(Vec::new());
    }
    let Value::Array(items) = &mut list.value else {
        unreachable!("replaced by an array above");
    };
    items
}

fn sole_endpoint<'t>(root: &'t mut Table, key: &str) -> Result<&'t mut Table, ValueError> {
    let endpoints = array_items(root, "endpoint");
    if endpoints.len() > 1 {
        let problem = ValueError::new(format!("there are {} endpoints", endpoints.len()));
        return Err(problem.with_hint(format!("select one: `--set endpoint.NAME.{key}=VALUE`")));
    }
    if endpoints.is_empty() {
        endpoints.push(Node::without_line(Value::Table(Table::new())));
    }
    Ok(as_table(&mut endpoints[0]))
}

fn named_endpoint<'t>(root: &'t mut Table, name: &str) -> Result<&'t mut Table, ValueError> {
    let endpoints = array_items(root, "endpoint");
    let names: Vec<_> = endpoints.iter().map(|node| label(node, "name")).collect();
    if let Some(index) = names.iter().position(|own| own.as_deref() == Some(name)) {
        return Ok(as_table(&mut endpoints[index]));
    }
    let names: Vec<_> = names.iter().flatten().map(String::as_str).collect();
    let problem = ValueError::new(format!("there is no endpoint `{name}`"));
    let hint = match closest_match(name, &names) {
        Some(nearest) => format!("did you mean `endpoint.{}`?", quote_key(nearest)),
        None if names.is_empty() => "add an `[[endpoint]]` with this `name` to the file".to_owned(),
        None => format!("endpoints in the file: {}", names.join(", ")),
    };
    Err(problem.with_hint(hint))
}

fn plugin<'t>(root: &'t mut Table, file: &str) -> &'t mut Table {
    let plugins = array_items(root, "plugin");
    let index = plugins
        .iter()
        .position(|node| label(node, "file").as_deref() == Some(file));
    let index = index.unwrap_or_else(|| {
        let name = Node::without_line(Value::String(file.to_owned()));
        let entry = Table::from([("file".to_owned(), name)]);
        plugins.push(Node::without_line(Value::Table(entry)));
        plugins.len() - 1
    });
    as_table(&mut plugins[index])
}

fn label(node: &Node, key: &str) -> Option<String> {
    node.member(key).and_then(|node| text(node).ok())
}

/// Splits a dotted key.
fn parse_key_path(key: &str) -> Option<Vec<String>> {
    let (mut part, mut value) = value_tree::parse_assignment(&format!("{key} = 0"))?;
    let mut path = vec![part];
    while let Value::Table(table) = value {
        let (next, node) = table.into_iter().next()?;
        (part, value) = (next, node.value);
        path.push(part);
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Config;

    fn applied(file: &str, settings: &[&str]) -> (Table, Vec<String>) {
        let (mut table, _) = value_tree::parse(file);
        let overrides: Vec<_> = settings
            .iter()
            .map(|text| Override::parse(text).unwrap())
            .collect();
        let errors = ErrorCollector::default();
        apply(&overrides, &mut table, &errors);
        let errors = errors.into_sorted();
        (table, errors.iter().map(ToString::to_string).collect())
    }

    fn value<'t>(table: &'t Table, path: &[&str]) -> &'t Value {
        let (first, rest) = path.split_first().unwrap();
        let mut node = &table[*first];
        for key in rest {
            node = match &node.value {
                Value::Array(items) => &items[key.parse::<usize>().unwrap()],
                _ => node.member(key).unwrap(),
            };
        }
        &node.value
    }

    #[test]
    fn values_are_toml_or_strings() {
        let cases = [
            ("a=1", Value::Integer(1)),
            ("a = true", Value::Boolean(true)),
            ("a=replay", Value::String("replay".to_owned())),
            ("a=10s", Value::String("10s".to_owned())),
            ("a='x=y'", Value::String("x=y".to_owned())),
            ("a=1\nb=2", Value::String("1\nb=2".to_owned())),
            ("a=", Value::String(String::new())),
        ];
        for (text, expected) in cases {
            assert_eq!(Override::parse(text).unwrap().value.value, expected);
        }
        assert_eq!(Override::parse("a"), None);
        assert_eq!(Override::parse("=1"), None);
    }

    #[test]
    fn keys_select_endpoints_and_plugins_by_name() {
        let file = "[[endpoint]]\nname = 'a'\ntls = 'self-signed'\n[limits]\nsessions = 1";
        let cases: [(&str, &[&str]); 7] = [
            ("limits.sessions=7", &["limits", "sessions"]),
            ("endpoint.listen=7", &["endpoint", "0", "listen"]),
            ("endpoint.a.listen=7", &["endpoint", "0", "listen"]),
            ("endpoint.tls.cert=7", &["endpoint", "0", "tls", "cert"]),
            ("matcher.x.y=7", &["matcher", "x", "y"]),
            (
                "plugin.\"p.wasm\".settings.a=7",
                &["plugin", "0", "settings", "a"],
            ),
            ("session=7", &["session"]),
        ];
        for (text, path) in cases {
            let (table, errors) = applied(file, &[text]);
            assert_eq!(errors, [""; 0], "{text}");
            assert_eq!(*value(&table, path), Value::Integer(7), "{text}");
        }
    }

    #[test]
    fn rejects_ambiguous_unknown_and_invalid_keys() {
        let file = "[[endpoint]]\nname = 'open'\n[[endpoint]]\nname = 'b'";
        let cases = [
            ("endpoint.listen=x", "endpoint.NAME.listen"),
            ("endpoint.oppen.listen=x", "endpoint.open"),
            ("a b=1", "not a valid key"),
            ("[[x]]=1", "not a valid key"),
        ];
        for (text, expected) in cases {
            let (_, errors) = applied(file, &[text]);
            assert_eq!(errors.len(), 1, "{text}");
            assert!(errors[0].contains(expected), "{text}: {errors:?}");
        }
    }

    #[test]
    fn an_error_of_a_flag_names_the_flag() {
        let errors = |file: Option<&str>, settings: &[Override]| -> Vec<String> {
            let file = file.map(|text| (Path::new("ouli.toml"), text));
            let config = Config::from_sources(file, settings, Path::new("/here"));
            let errors = config.err().map(|errors| errors.errors).unwrap_or_default();
            errors.into_iter().map(|error| error.key).collect()
        };
        let upstream = Override::text("endpoint.upstream", "ftp://x");
        let session = Override::text("session", "").typed_as_flag();
        let typed = [upstream.clone().typed_as_flag(), session];
        assert_eq!(errors(None, &typed), ["--session", "--upstream"]);
        assert_eq!(
            errors(None, std::slice::from_ref(&upstream)),
            ["endpoint[0].upstream"]
        );
        let named = "[[endpoint]]\nname = 'a'\n";
        assert_eq!(errors(Some(named), &typed), ["--session", "--upstream"]);
        let file = "[[endpoint]]\nname = 'a'\nupstream = 'ftp://x'\nlisten = 'x'";
        let listen = Override::text("endpoint.listen", "y").typed_as_flag();
        assert_eq!(
            errors(Some(file), &[listen]),
            ["endpoint.a.upstream", "--listen"]
        );
    }

    #[test]
    fn mode_overrides_every_endpoint() {
        let (table, _) = applied("[[endpoint]]\nmode = 'replay'", &["mode=record"]);
        assert_eq!(
            value(&table, &["endpoint", "0"]),
            &Value::Table(Table::new())
        );
    }
}
