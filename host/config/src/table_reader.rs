//! Reads one table key by key: what is wrong is collected, what is left over is unknown.

use std::path::{Path, PathBuf};

use serde_json::{Map, Number, Value as Json};

use crate::choice::Choice;
use crate::config_error::{ErrorCollector, ValueError};
use crate::renamed_keys;
use crate::value_tree::{Node, Table, Value};

/// How many keys a hint may list.
const MAX_LISTED_KEYS: usize = 20;

/// What all sections share while a configuration is read.
pub(super) struct ReadContext<'a> {
    /// The faults found so far.
    pub(super) errors: ErrorCollector,
    /// What relative paths of the file start from.
    pub(super) file_folder: PathBuf,
    /// What relative paths of the command line start from.
    pub(super) base_folder: &'a Path,
}

/// The path of a section and the line where it begins.
pub(super) type Location = (String, Option<usize>);

/// A table under way of being read.
pub(super) struct Section<'a> {
    context: &'a ReadContext<'a>,
    path: String,
    line: Option<usize>,
    unread: Table,
    known_keys: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) fn root(reading: &'a ReadContext<'a>, table: Table) -> Self {
        Self::new(reading, String::new(), None, table)
    }

    fn new(reading: &'a ReadContext<'a>, path: String, line: Option<usize>, rest: Table) -> Self {
        Self {
            context: reading,
            path,
            line,
            unread: rest,
            known_keys: Vec::new(),
        }
    }

    /// Its path and the line where it begins, for faults that show once it was read.
    pub(super) fn location(&self) -> Location {
        (self.path.clone(), self.line)
    }

    /// True where `key` is written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.unread.contains_key(key)
    }

    /// True where `key` is written and is a table.
    pub(super) fn holds_table(&self, key: &str) -> bool {
        self.unread
            .get(key)
            .is_some_and(|node| matches!(node.value, Value::Table(_)))
    }

    /// The value of `key`, or none where it is absent or wrong; what is wrong is collected.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Node) -> Result<T, ValueError>,
    ) -> Option<T> {
        let node = self.take(key)?;
        self.parse_value(self.path_of(key), &node, parse)
    }

    /// What `parse` makes of each value of a list; one value alone is a list of one. None where one
    /// is wrong.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&Node) -> Result<T, ValueError>,
    ) -> Option<Vec<T>> {
        let node = self.take(key)?;
        let Value::Array(items) = &node.value else {
            let single = self.parse_value(self.path_of(key), &node, parse)?;
            return Some(vec![single]);
        };
        let read = |(index, item)| {
            self.parse_value(format!("{}[{index}]", self.path_of(key)), item, &parse)
        };
        // The faults of all values are wanted, so nothing stops at the first.
        let read: Vec<Option<T>> = items.iter().enumerate().map(read).collect();
        read.into_iter().collect()
    }

    /// A path; relative ones start from the folder of the file, or of the process where the command
    /// line gave them.
    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let reading = self.context;
        self.read(key, |node| path(reading, node))
    }

    /// A path, or where it is absent or wrong `default` in the folder of the file.
    pub(super) fn path_or(&mut self, key: &'static str, default: &str) -> PathBuf {
        self.path(key).unwrap_or_else(|| self.default_path(default))
    }

    /// A path in the folder of the file.
    pub(super) fn default_path(&self, name: &str) -> PathBuf {
        self.context.file_folder.join(name)
    }

    /// A list of paths.
    pub(super) fn paths(&mut self, key: &'static str) -> Option<Vec<PathBuf>> {
        let reading = self.context;
        self.list(key, |node| path(reading, node))
    }

    /// A table within this one.
    pub(super) fn section(&mut self, key: &'static str) -> Option<Self> {
        let node = self.take(key)?;
        self.open(self.path_of(key), node)
    }

    /// A list of tables. `label` is the key whose text names each of them in reports.
    pub(super) fn sections(&mut self, key: &'static str, label: &str) -> Vec<Self> {
        let Some(node) = self.take(key) else {
            return Vec::new();
        };
        let Value::Array(items) = node.value else {
            let problem =
                ValueError::new(format!("expected a list of tables, found {}", node.kind()))
                    .with_hint(format!("begin each with `[[{key}]]`"));
            self.context.errors.add(key, node.line, problem);
            return Vec::new();
        };
        let open = |(index, item): (usize, Node)| {
            let name = item.member(label).and_then(|node| text(node).ok());
            let path = match name {
                Some(name) => format!("{key}.{}", quote_key(&name)),
                None => format!("{key}[{index}]"),
            };
            self.open(path, item)
        };
        items.into_iter().enumerate().filter_map(open).collect()
    }

    /// A table of any content, as JSON.
    pub(super) fn json_table(&mut self, key: &'static str) -> Map<String, Json> {
        let Some(section) = self.section(key) else {
            return Map::new();
        };
        section.json()
    }

    /// Collects a fault of `key`.
    pub(super) fn add_error(&self, key: &str, line: Option<usize>, problem: ValueError) {
        self.context
            .errors
            .add(self.path_of(key), line.or(self.line), problem);
    }

    /// Collects a fault that concerns a whole section.
    pub(super) fn add_error_at(&self, place: &Location, problem: ValueError) {
        self.context.errors.add(&place.0, place.1, problem);
    }

    /// Collects that `key` is missing.
    pub(super) fn add_missing(&self, key: &str, problem: ValueError) {
        self.context
            .errors
            .add_missing(self.path_of(key), self.line, problem);
    }

    /// Reports the keys that nobody read.
    pub(super) fn reject_unknown_keys(self) {
        for (key, node) in &self.unread {
            let hint = match (
                renamed_keys::new_path(&self.path_of(key)),
                closest_match(key, &self.known_keys),
            ) {
                (Some(new), _) => format!("it is now `{new}`"),
                (None, Some(nearest)) => format!("did you mean `{nearest}`?"),
                (None, None) if self.known_keys.len() > MAX_LISTED_KEYS => "take it out".to_owned(),
                (None, None) => format!("known are {}", self.known_keys.join(", ")),
            };
            let problem = ValueError::new("unknown key").with_hint(hint);
            self.context
                .errors
                .add(self.path_of(&quote_key(key)), node.line, problem);
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known_keys.push(key);
        self.unread.remove(key)
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            return key.to_owned();
        }
        format!("{}.{key}", self.path)
    }

    fn parse_value<T>(
        &self,
        path: String,
        node: &Node,
        parse: impl FnOnce(&Node) -> Result<T, ValueError>,
    ) -> Option<T> {
        match parse(node) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.context.errors.add(path, node.line, problem);
                None
            }
        }
    }

    fn open(&self, path: String, node: Node) -> Option<Self> {
        let kind = node.kind();
        let Value::Table(table) = node.value else {
            let problem = ValueError::new(format!("expected a table, found {kind}"));
            self.context.errors.add(path, node.line, problem);
            return None;
        };
        Some(Self::new(self.context, path, node.line, table))
    }

    fn json(self) -> Map<String, Json> {
        let entries = self.unread.iter().filter_map(|(key, node)| {
            if let Some(new) = renamed_keys::new_path(&self.path_of(key)) {
                let problem =
                    ValueError::new("unknown key").with_hint(format!("it is now `{new}`"));
                self.context
                    .errors
                    .add(self.path_of(key), node.line, problem);
                return None;
            }
            let path = self.path_of(&quote_key(key));
            Some((key.clone(), self.parse_value(path, node, json)?))
        });
        entries.collect()
    }
}

/// A text.
pub(super) fn text(node: &Node) -> Result<String, ValueError> {
    if let Value::String(text) = &node.value {
        return Ok(text.clone());
    }
    node.raw.clone().ok_or_else(|| expected("a string", node))
}

/// `true` or `false`.
pub(super) fn flag(node: &Node) -> Result<bool, ValueError> {
    if let Value::Boolean(flag) = node.value {
        return Ok(flag);
    }
    Err(expected("true or false", node))
}

/// One word of a fixed set.
pub(super) fn choice<T: Choice>(node: &Node) -> Result<T, ValueError> {
    let word = text(node)?;
    let words: Vec<_> = T::ALL.iter().map(Choice::as_str).collect();
    let found = T::ALL.iter().find(|choice| choice.as_str() == word);
    found.copied().ok_or_else(|| {
        let hint = match closest_match(&word, &words) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("write one of {}", words.join(", ")),
        };
        ValueError::new(format!("`{word}` is not known here")).with_hint(hint)
    })
}

/// What a value should have been.
pub(super) fn expected(what: &str, node: &Node) -> ValueError {
    ValueError::new(format!("expected {what}, found {}", node.kind()))
}

fn path(reading: &ReadContext<'_>, node: &Node) -> Result<PathBuf, ValueError> {
    let written = text(node)?;
    if written.is_empty() {
        return Err(ValueError::new("the path is empty"));
    }
    let folder = match node.line {
        Some(_) => &reading.file_folder,
        None => reading.base_folder,
    };
    Ok(folder.join(written))
}

fn json(node: &Node) -> Result<Json, ValueError> {
    Ok(match &node.value {
        Value::String(text) | Value::Datetime(text) => Json::String(text.clone()),
        Value::Integer(number) => Json::from(*number),
        Value::Float(number) => Number::from_f64(*number)
            .map(Json::Number)
            .ok_or_else(|| ValueError::new("a number that JSON cannot hold"))?,
        Value::Boolean(flag) => Json::Bool(*flag),
        Value::Array(items) => items.iter().map(json).collect::<Result<_, _>>()?,
        Value::Table(table) => {
            let entries = table
                .iter()
                .map(|(key, node)| Ok((key.clone(), json(node)?)));
            Json::Object(entries.collect::<Result<_, _>>()?)
        }
    })
}

/// The word that was probably meant.
pub(super) fn closest_match<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    let scored = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate));
    let (distance, candidate) = scored.min()?;
    // A third of the letters may differ; anything more is a guess.
    (distance * 3 <= candidate.len().max(3)).then_some(candidate)
}

/// A key as TOML wants it: in quotes unless it is bare.
pub(super) fn quote_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) {
        return key.to_owned();
    }
    format!("{key:?}")
}
