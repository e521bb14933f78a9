//! The configuration as a tree of TOML values with their line numbers.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use crate::config_error::ConfigError;

/// Characters of a string that an error shows.
const MAX_SHOWN_CHARS: usize = 40;

/// A table of the file.
pub(super) type Table = BTreeMap<String, Node>;

/// A value and its place in the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// The value.
    pub(super) value: Value,
    /// Line of the file; none for a value from the command line.
    pub(super) line: Option<usize>,
    /// The original text of an override, so that `--set session=1` can be read as a string.
    pub(super) raw: Option<String>,
}

/// A TOML value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Datetime(String),
    Array(Vec<Node>),
    Table(Table),
}

impl Node {
    /// A value that is not from a file.
    pub(super) fn without_line(value: Value) -> Self {
        Self {
            value,
            line: None,
            raw: None,
        }
    }

    /// The value of a key, if this is a table that has it.
    pub(super) fn member(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Table(table) => table.get(key),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => None,
        }
    }

    /// The value as an error names it: its type and, where it is short, its text.
    pub(super) fn describe(&self) -> String {
        match &self.value {
            Value::String(text) => {
                let short: String = text.chars().take(MAX_SHOWN_CHARS).collect();
                let rest = if short == *text { "" } else { "…" };
                format!("the string \"{}{rest}\"", short.escape_debug())
            }
            Value::Integer(number) => format!("the integer {number}"),
            Value::Float(number) => format!("the float {number}"),
            Value::Boolean(flag) => format!("the boolean {flag}"),
            Value::Datetime(date) => format!("the date-time {date}"),
            Value::Array(_) => "an array".to_owned(),
            Value::Table(_) => "a table".to_owned(),
        }
    }

    /// The text of a number, a boolean or a date-time.
    pub(super) fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Integer(number) => Some(number.to_string()),
            Value::Float(number) => Some(number.to_string()),
            Value::Boolean(flag) => Some(flag.to_string()),
            Value::Datetime(date) => Some(date.clone()),
            Value::String(_) | Value::Array(_) | Value::Table(_) => None,
        }
    }
}

/// Parses TOML text. Returns all syntax errors, and the keys that could be parsed in spite of them.
pub(super) fn parse(text: &str) -> (Table, Vec<ConfigError>) {
    let lines = LineIndex::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let errors = errors
        .iter()
        .map(|error| syntax_error(error, &lines))
        .collect();
    (convert_table(table.get_ref(), Some(&lines)), errors)
}

/// Parses one `key = value` from the command line; none if `text` is anything else.
pub(super) fn parse_assignment(text: &str) -> Option<(String, Value)> {
    let parsed = DeTable::parse(text).ok()?;
    let table = convert_table(parsed.get_ref(), None);
    let mut entries = table.into_iter();
    let (key, node) = entries.next()?;
    entries.next().is_none().then_some((key, node.value))
}

/// The offsets at which the lines of a text begin.
struct LineIndex(Vec<usize>);

impl LineIndex {
    fn of(text: &str) -> Self {
        let starts = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Self(std::iter::once(0).chain(starts).collect())
    }

    fn number(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }
}

fn syntax_error(error: &Error, lines: &LineIndex) -> ConfigError {
    ConfigError {
        key: String::new(),
        line: error.span().map(|span| lines.number(span.start)),
        message: format!("not valid TOML: {}", error.message().replace('\n', ", ")),
        hint: None,
    }
}

fn convert_table(table: &DeTable<'_>, lines: Option<&LineIndex>) -> Table {
    table
        .iter()
        .map(|(key, value)| {
            let line = lines.map(|lines| lines.number(key.span().start));
            let node = Node {
                value: convert(value.get_ref(), lines),
                line,
                raw: None,
            };
            (key.get_ref().clone().into_owned(), node)
        })
        .collect()
}

fn convert(value: &DeValue<'_>, lines: Option<&LineIndex>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.clone().into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::Float(f64::INFINITY), Value::Integer),
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Datetime(date) => Value::Datetime(date.to_string()),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| convert_item(item, lines)).collect())
        }
        DeValue::Table(table) => Value::Table(convert_table(table, lines)),
    }
}

fn convert_item(item: &Spanned<DeValue<'_>>, lines: Option<&LineIndex>) -> Node {
    Node {
        value: convert(item.get_ref(), lines),
        line: lines.map(|lines| lines.number(item.span().start)),
        raw: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(table: &Table, path: &[&str]) -> usize {
        let (last, parents) = path.split_last().unwrap();
        let mut table = table;
        for key in parents {
            let Value::Table(next) = &table[*key].value else {
                panic!("{key} is not a table");
            };
            table = next;
        }
        table[*last].line.unwrap()
    }

    #[test]
    fn values_have_line_numbers() {
        let (table, errors) = parse("a = 0x1_0\n\n[b]\nc = [\n 1,\n 'x']\n[b.d]\ne = 1.5\n[[f]]\n");
        assert_eq!(errors, []);
        assert_eq!(table["a"].value, Value::Integer(16));
        assert_eq!(line(&table, &["a"]), 1);
        assert_eq!(line(&table, &["b"]), 3);
        assert_eq!(line(&table, &["b", "c"]), 4);
        assert_eq!(line(&table, &["b", "d", "e"]), 8);
        let Value::Array(items) = &table["f"].value else {
            panic!("f is not an array");
        };
        assert_eq!(items[0].line, Some(9));
    }

    #[test]
    fn all_syntax_errors_are_reported() {
        let (_, errors) = parse("a = \nb = 1\nb = 2\n[c\n");
        let mut lines: Vec<_> = errors.iter().map(|error| error.line).collect();
        lines.sort_unstable();
        assert_eq!(lines, [Some(1), Some(3), Some(4)], "{errors:?}");
    }

    #[test]
    fn an_assignment_has_exactly_one_key() {
        let cases = [
            ("a = 1", true),
            ("a = 1\nb = 2", false),
            ("", false),
            ("a = ]", false),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_assignment(text).is_some(), expected, "{text}");
        }
    }
}
