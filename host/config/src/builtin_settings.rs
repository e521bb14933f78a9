//! The settings of the built-in plugins: the type and the form of each. They are checked here, with
//! their lines, and passed to the plugins as JSON.

use serde_json::{Map, Value as Json};

use crate::config_error::ValueError;
use crate::plugin::route;
use crate::table_reader::Section;
use crate::value_parsers::{expected, flag, text};
use crate::value_tree::{Node, Table, Value};

type Parsed = Result<Json, ValueError>;

/// The settings of the three plugins.
pub(super) fn matcher(section: Section<'_>) -> Map<String, Json> {
    let mut settings = Settings::new(section);
    settings.flag("defaults");
    settings.flag("authority");
    settings.list("ignore_query", name_with_end);
    settings.list("ignore_body", pointer);
    settings.list("headers", header_or_all);
    settings.list("ignore_headers", header_with_end);
    settings.list("minted", minted_place);
    settings.list("disabled_rules", minted_rule);
    settings.finish()
}

/// The settings of the redactor.
pub(super) fn redactor(section: Section<'_>) -> Map<String, Json> {
    let mut settings = Settings::new(section);
    settings.names("headers", header_pattern);
    settings.names("query", name);
    settings.names("form", name);
    settings.names("json", name);
    settings.names("json_pointers", nonempty_pointer);
    settings.classes("patterns");
    settings.list("volatile_headers", header_pattern);
    settings.finish()
}

/// The settings of the recording policy.
pub(super) fn policy(section: Section<'_>) -> Map<String, Json> {
    let mut settings = Settings::new(section);
    settings.list("skip_paths", |node| route(node).map(Json::from));
    settings.flag("skip_health_checks");
    settings.list("skip_methods", method);
    settings.list("skip_status", status);
    settings.finish()
}

/// A section that is being read, and what was read of it.
struct Settings<'a> {
    section: Section<'a>,
    read: Map<String, Json>,
}

impl<'a> Settings<'a> {
    fn new(section: Section<'a>) -> Self {
        Self {
            section,
            read: Map::new(),
        }
    }

    fn flag(&mut self, key: &'static str) {
        let value = self.section.read(key, flag).map(Json::from);
        self.insert(key, value);
    }

    fn list(&mut self, key: &'static str, parse: impl Fn(&Node) -> Parsed) {
        let value = self.section.list(key, parse).map(Json::from);
        self.insert(key, value);
    }

    /// A list of names, or a table from name to class.
    fn names(&mut self, key: &'static str, parse: impl Fn(&Node) -> Parsed) {
        if !self.section.holds_table(key) {
            return self.list(key, parse);
        }
        let value = self.section.read(key, |node| table(node, parse, class));
        self.insert(key, value);
    }

    /// A table from class to regular expression.
    fn classes(&mut self, key: &'static str) {
        let value = self.section.read(key, |node| {
            let expression = |node: &Node| Ok(Json::from(text(node)?));
            table(node, class, expression)
        });
        self.insert(key, value);
    }

    fn insert(&mut self, key: &str, value: Option<Json>) {
        if let Some(value) = value {
            self.read.insert(key.to_owned(), value);
        }
    }

    fn finish(mut self) -> Map<String, Json> {
        self.section.reject_unknown_keys();
        self.read.sort_keys();
        self.read
    }
}

/// A table whose keys and values are checked.
fn table(node: &Node, key: impl Fn(&Node) -> Parsed, value: impl Fn(&Node) -> Parsed) -> Parsed {
    let Value::Table(table) = &node.value else {
        let problem = expected("a table", node);
        return Err(problem.with_hint("write `{ CLASS = 'REGULAR EXPRESSION' }`"));
    };
    checked(table, key, value).map(Json::Object)
}

fn checked(
    table: &Table,
    key: impl Fn(&Node) -> Parsed,
    value: impl Fn(&Node) -> Parsed,
) -> Result<Map<String, Json>, ValueError> {
    let entries = table.iter().map(|(name, node)| {
        key(&Node::without_line(Value::String(name.clone())))?;
        let value = value(node).map_err(|problem| ValueError {
            message: format!("`{name}`: {}", problem.message),
            ..problem
        })?;
        Ok((name.clone(), value))
    });
    entries.collect()
}

/// The class of a secret, which its placeholder names.
fn class(node: &Node) -> Parsed {
    let class = text(node)?;
    let words: Vec<_> = class.split('-').collect();
    let is_word = |word: &&str| {
        let mut bytes = word.bytes();
        !word.is_empty() && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let is_number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    let is_class = words.iter().all(is_word)
        && class.starts_with(|first: char| first.is_ascii_lowercase())
        && !words.last().is_some_and(is_number);
    if is_class {
        return Ok(Json::from(class));
    }
    let problem = ValueError::new(format!("{class:?} is not a class of secrets"));
    let form = "write lower-case letters, digits and `-`, as \"card-pin\"; a class begins with a \
                letter, and its last word is not a number";
    Err(problem.with_hint(form))
}

/// A name that is not empty.
fn name(node: &Node) -> Parsed {
    let name = text(node)?;
    match name.trim().is_empty() {
        true => Err(ValueError::new("the name is empty").with_hint("write a name, or remove it")),
        false => Ok(Json::from(name)),
    }
}

/// A name in which `*` may stand at the end.
fn name_with_end(node: &Node) -> Parsed {
    let name = name(node)?;
    check_star_at_end(name.as_str().unwrap_or_default())?;
    Ok(name)
}

/// The name of a header in which `*` may stand at the end.
fn header_with_end(node: &Node) -> Parsed {
    let header = header_pattern(node)?;
    check_star_at_end(header.as_str().unwrap_or_default())?;
    Ok(header)
}

fn check_star_at_end(name: &str) -> Result<(), ValueError> {
    let before = name.strip_suffix('*').unwrap_or(name);
    if !before.contains('*') {
        return Ok(());
    }
    let problem = ValueError::new(format!("in {name:?}, `*` does not stand at the end"));
    let (first, _) = name.split_once('*').unwrap_or((name, ""));
    Err(problem.with_hint(format!("write \"{first}*\", or each name in full")))
}

/// The place of values that clients make up.
fn minted_place(node: &Node) -> Parsed {
    let place = text(node)?;
    if place.starts_with('/') {
        return nonempty_pointer(node);
    }
    let problem = |message: String| {
        ValueError::new(message).with_hint(
            "write a JSON pointer as \"/id\", \"query.NAME\", \"header.NAME\", or the whole path \
         with `*` for the segment that is the value, as \"path./jobs/*\"",
        )
    };
    let no_place = || problem(format!("{place:?} names no place of values"));
    let (kind, name) = place.split_once('.').ok_or_else(no_place)?;
    let is_valid = match kind {
        "query" => !name.is_empty(),
        "header" => !name.is_empty() && name.bytes().all(|b| is_token_byte(b) && b != b'*'),
        "path" => {
            let mut segments = name.split('/').skip(1);
            let is_whole = |segment: &str| segment == "*" || !segment.contains('*');
            name.starts_with('/')
                && segments.clone().all(is_whole)
                && segments.any(|segment| segment == "*")
        }
        _ => false,
    };
    match is_valid {
        true => Ok(Json::from(place)),
        false => Err(no_place()),
    }
}

/// The id of a rule for values that clients make up.
fn minted_rule(node: &Node) -> Parsed {
    const RULES: [&str; 3] = ["minted.json-rpc", "minted.oauth", "minted.request-ids"];
    let id = text(node)?;
    if RULES.contains(&&*id) {
        return Ok(Json::from(id));
    }
    let problem = ValueError::new(format!("{id:?} is no rule of the matcher"));
    Err(problem.with_hint(format!("the rules are {}", RULES.join(", "))))
}

/// The name of a header, or `*` for all.
fn header_or_all(node: &Node) -> Parsed {
    let header = text(node)?;
    if header == "*" {
        return Ok(Json::from(header));
    }
    if header.contains('*') {
        let problem = ValueError::new(format!("{header:?} is not a header name"));
        let form = "write the full name, or \"*\" for all headers except the ignored ones";
        return Err(problem.with_hint(form));
    }
    header_pattern(node)
}

/// The name of a header in which `*` stands for any characters (RFC 9110, section 5.1).
fn header_pattern(node: &Node) -> Parsed {
    let header = text(node)?;
    if !header.is_empty() && header.bytes().all(is_token_byte) {
        return Ok(Json::from(header));
    }
    let problem = ValueError::new(format!("{header:?} is not a header name"));
    Err(problem
        .with_hint("write the name alone, without spaces, colon and value, as \"x-request-id\""))
}

/// RFC 9110, section 5.6.2. It includes `*`.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A JSON pointer (RFC 6901) in which `*` may stand for a step.
fn pointer(node: &Node) -> Parsed {
    let pointer = text(node)?;
    if pointer.is_empty() {
        return Ok(Json::from(pointer));
    }
    if !pointer.starts_with('/') {
        let problem = ValueError::new(format!("{pointer:?} is not a JSON pointer"));
        let form = format!("a pointer begins with `/`; write \"/{pointer}\"");
        return Err(problem.with_hint(form));
    }
    for step in pointer.split('/').skip(1) {
        if step.contains('*') && step != "*" {
            let problem = ValueError::new(format!(
                "in {pointer:?}, `*` is a part of the step `{step}`"
            ));
            let form = "`*` stands for a whole step: write \"/*\" for every index or member, or \
                        each name in full";
            return Err(problem.with_hint(form));
        }
        let mut escapes = step.split('~').skip(1);
        if escapes.any(|rest| !rest.starts_with(['0', '1'])) {
            let problem = ValueError::new(format!("in {pointer:?}, `~` is not escaped"));
            return Err(problem.with_hint("write `~0` for `~`, and `~1` for `/`"));
        }
    }
    Ok(Json::from(pointer))
}

/// A JSON pointer to a part of a document.
fn nonempty_pointer(node: &Node) -> Parsed {
    let found = pointer(node)?;
    if found.as_str().is_some_and(str::is_empty) {
        let problem = ValueError::new("the pointer is empty");
        let form = "write a pointer to a value, as \"/card/number\"; `json` names a member at any \
                    depth";
        return Err(problem.with_hint(form));
    }
    Ok(found)
}

fn method(node: &Node) -> Parsed {
    let method = text(node)?;
    let is_method = !method.is_empty() && method.bytes().all(|b| is_token_byte(b) && b != b'*');
    if is_method {
        return Ok(Json::from(method));
    }
    let problem = ValueError::new(format!("{method:?} is not a method"));
    Err(problem.with_hint("write a method, as \"OPTIONS\""))
}

/// A status code, or a range of codes in a string.
fn status(node: &Node) -> Parsed {
    const CODES: std::ops::RangeInclusive<i64> = 100..=599;
    let form = "write a code from 100 to 599, or a range such as \"500-599\"";
    let number = |text: &str| text.trim().parse::<i64>().ok();
    let (range, json) = match &node.value {
        Value::Integer(code) => (Some((*code, *code)), Json::from(*code)),
        Value::String(range) => {
            let (lowest, highest) = range.split_once('-').unwrap_or((range, range));
            (
                number(lowest).zip(number(highest)),
                Json::from(range.clone()),
            )
        }
        _ => return Err(expected("a status code or a range", node).with_hint(form)),
    };
    let is_range = |(lowest, highest): (i64, i64)| {
        lowest <= highest && CODES.contains(&lowest) && CODES.contains(&highest)
    };
    if range.is_some_and(is_range) {
        return Ok(json);
    }
    let problem = ValueError::new(format!("{} is no status code", node.describe()));
    Err(problem.with_hint(form))
}
