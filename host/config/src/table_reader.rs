//! Reads one table key by key: errors are collected, and keys that nobody reads are unknown.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use crate::config_error::{ErrorCollector, ValueError};
use crate::renamed_keys;
use crate::spelling::{closest_match, quote_key};
use crate::value_parsers::{expected, json, text};
use crate::value_tree::{Node, Table, Value};

/// Keys that a hint may list.
const MAX_LISTED_KEYS: usize = 24;

/// Shared by all sections while a configuration is read.
pub(super) struct ReadContext<'a> {
    /// The errors found so far.
    pub(super) errors: ErrorCollector,
    /// The base of relative paths in the file.
    pub(super) file_folder: PathBuf,
    /// The base of relative paths on the command line.
    pub(super) base_folder: &'a Path,
    /// The paths of all keys that were asked for.
    #[cfg(test)]
    pub(super) known_keys: std::cell::RefCell<std::collections::BTreeSet<String>>,
}

/// The path of a section and the line where it begins.
pub(super) type Location = (String, Option<usize>);

/// A table that is being read.
pub(super) struct Section<'a> {
    context: &'a ReadContext<'a>,
    path: String,
    line: Option<usize>,
    unread: Table,
    known_keys: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) fn root(context: &'a ReadContext<'a>, table: Table) -> Self {
        Self::new(context, String::new(), None, table)
    }

    fn new(context: &'a ReadContext<'a>, path: String, line: Option<usize>, table: Table) -> Self {
        Self {
            context,
            path,
            line,
            unread: table,
            known_keys: Vec::new(),
        }
    }

    /// Its path and line, for errors that show after it was read.
    pub(super) fn location(&self) -> Location {
        (self.path.clone(), self.line)
    }

    /// True if `key` is present.
    pub(super) fn has(&self, key: &str) -> bool {
        self.unread.contains_key(key)
    }

    /// True if `key` is present and its value is a table.
    pub(super) fn holds_table(&self, key: &str) -> bool {
        self.unread
            .get(key)
            .is_some_and(|node| matches!(node.value, Value::Table(_)))
    }

    /// The value of `key`; none if it is absent or invalid. An invalid value is an error.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Node) -> Result<T, ValueError>,
    ) -> Option<T> {
        let node = self.take(key)?;
        self.parse_value(self.path_of(key), &node, parse)
    }

    /// The parsed values of an array; a single value is an array of one. None if one is invalid.
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
        // Collected first, so that the errors of all values are reported.
        let read: Vec<Option<T>> = items.iter().enumerate().map(read).collect();
        read.into_iter().collect()
    }

    /// A path. A relative one starts from the folder of the file, or from the working folder if the
    /// command line gave it.
    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let context = self.context;
        self.read(key, |node| path(context, node))
    }

    /// A path; if it is absent or invalid, `default` in the folder of the file.
    pub(super) fn path_or(&mut self, key: &'static str, default: &str) -> PathBuf {
        self.path(key).unwrap_or_else(|| self.default_path(default))
    }

    /// A path in the folder of the file.
    pub(super) fn default_path(&self, name: &str) -> PathBuf {
        self.context.file_folder.join(name)
    }

    /// A list of paths.
    pub(super) fn paths(&mut self, key: &'static str) -> Option<Vec<PathBuf>> {
        let context = self.context;
        self.list(key, |node| path(context, node))
    }

    /// A table within this one.
    pub(super) fn section(&mut self, key: &'static str) -> Option<Self> {
        let node = self.take(key)?;
        let hint = format!("write `{key} = {{ KEY = VALUE }}`");
        self.open(self.path_of(key), node, hint)
    }

    /// An array of tables. `label` is the key whose value names each table in errors.
    pub(super) fn sections(&mut self, key: &'static str, label: &str) -> Vec<Self> {
        let Some(node) = self.take(key) else {
            return Vec::new();
        };
        let hint = format!("write `[[{key}]]` above each");
        let Value::Array(items) = node.value else {
            let problem = expected("an array of tables", &node).with_hint(hint);
            self.context.errors.add(key, node.line, problem);
            return Vec::new();
        };
        let open = |(index, item): (usize, Node)| {
            let name = item.member(label).and_then(|node| text(node).ok());
            let path = match name {
                Some(name) => format!("{key}.{}", quote_key(&name)),
                None => format!("{key}[{index}]"),
            };
            self.open(path, item, hint.clone())
        };
        items.into_iter().enumerate().filter_map(open).collect()
    }

    /// A table with any keys, as JSON.
    pub(super) fn json_table(&mut self, key: &'static str) -> Map<String, Json> {
        let Some(section) = self.section(key) else {
            return Map::new();
        };
        section.into_json()
    }

    /// Adds an error of `key` that shows after its value was read.
    pub(super) fn add_error(&self, key: &str, problem: ValueError) {
        self.context
            .errors
            .add(self.path_of(key), self.line, problem);
    }

    /// Adds an error of a whole section.
    pub(super) fn add_error_at(&self, location: &Location, problem: ValueError) {
        self.context.errors.add(&location.0, location.1, problem);
    }

    /// Adds the error that `key` is missing.
    pub(super) fn add_missing(&self, key: &str, problem: ValueError) {
        self.context
            .errors
            .add_missing(self.path_of(key), self.line, problem);
    }

    /// Adds an error for each key that was not read.
    pub(super) fn reject_unknown_keys(self) {
        for (key, node) in &self.unread {
            let problem = self.renamed_key(key).unwrap_or_else(|| {
                let hint = match closest_match(key, &self.known_keys) {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None if self.known_keys.len() > MAX_LISTED_KEYS => {
                        "`ouli-gateway check --limits` lists all limits".to_owned()
                    }
                    None => format!("allowed: {}", self.known_keys.join(", ")),
                };
                ValueError::new("unknown key").with_hint(hint)
            });
            let path = self.path_of(&quote_key(key));
            self.context.errors.add(path, node.line, problem);
        }
    }

    /// The error for a key of an earlier version.
    fn renamed_key(&self, key: &str) -> Option<ValueError> {
        let new = renamed_keys::new_key(&self.path, key)?;
        Some(ValueError::new("this key was renamed").with_hint(format!("write `{new}`")))
    }

    fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known_keys.push(key);
        #[cfg(test)]
        self.context
            .known_keys
            .borrow_mut()
            .insert(self.path_of(key));
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

    fn open(&self, path: String, node: Node, hint: String) -> Option<Self> {
        match node.value {
            Value::Table(table) => Some(Self::new(self.context, path, node.line, table)),
            _ => {
                let problem = expected("a table", &node).with_hint(hint);
                self.context.errors.add(path, node.line, problem);
                None
            }
        }
    }

    fn into_json(self) -> Map<String, Json> {
        let entries = self.unread.iter().filter_map(|(key, node)| {
            let path = self.path_of(&quote_key(key));
            if let Some(problem) = self.renamed_key(key) {
                self.context.errors.add(path, node.line, problem);
                return None;
            }
            Some((key.clone(), self.parse_value(path, node, json)?))
        });
        entries.collect()
    }
}

fn path(context: &ReadContext<'_>, node: &Node) -> Result<PathBuf, ValueError> {
    let written = text(node)?;
    if written.is_empty() {
        let problem = ValueError::new("the path is empty");
        return Err(problem.with_hint("write a path, or remove the key"));
    }
    let folder = match node.line {
        Some(_) => &context.file_folder,
        None => context.base_folder,
    };
    Ok(folder.join(written))
}
