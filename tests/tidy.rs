//! The rules of the house, kept by looking at the source.

use std::path::{Path, PathBuf};

use ouli_config::LIMITS;

const LONGEST_FILE: usize = 400;
const LONGEST_LINE: usize = 100;
const LONGEST_FUNCTION: usize = 70;

/// A file of source.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The path below the repository.
    fn name(&self) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        self.path.strip_prefix(root).unwrap().display().to_string()
    }

    /// The code without comments and texts, line by line with the numbers of the lines.
    fn code(&self) -> Vec<(usize, String)> {
        let lines = self.text.lines().enumerate();
        lines
            .map(|(at, line)| (at + 1, without_texts(line)))
            .collect()
    }

    /// The part that is only there for tests.
    fn tests(&self) -> &str {
        let name = self.name();
        let all =
            name.starts_with("tests/") || name.contains("/tests/") || name.ends_with("tests.rs");
        let start = if all {
            Some(0)
        } else {
            self.text.find("\nmod tests {")
        };
        start.map_or("", |start| &self.text[start..])
    }
}

/// A line without its comment and without what stands in quotes.
fn without_texts(line: &str) -> String {
    let mut code = String::new();
    let mut pieces = line.split('"');
    loop {
        let Some(piece) = pieces.next() else {
            return code;
        };
        if let Some((before, _)) = piece.split_once("//") {
            return code + before;
        }
        code += piece;
        while pieces.next().is_some_and(|text| text.ends_with('\\')) {}
    }
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut waiting: Vec<_> = folders.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = waiting.pop() {
        let Ok(entries) = folder.read_dir() else {
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push(Source { path, text });
            }
        }
    }
    assert!(!found.is_empty(), "no source in {folders:?}");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn all() -> Vec<Source> {
    sources(&["host", "plugins", "tests", "benches", "examples"])
}

/// Tells all faults at once.
fn none_of(rule: &str, mut faults: Vec<String>) {
    faults.sort();
    assert!(
        faults.is_empty(),
        "{rule} ({} faults):\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn every_file_says_what_it_owns() {
    let silent = all()
        .into_iter()
        .filter(|source| !source.text.starts_with("//! "));
    none_of(
        "a file begins with `//!`",
        silent.map(|source| source.name()).collect(),
    );
}

#[test]
fn files_lines_and_functions_are_short() {
    let mut faults = Vec::new();
    for source in all() {
        let (name, lines) = (source.name(), source.text.lines().count());
        if lines > LONGEST_FILE {
            faults.push(format!("{name} has {lines} lines"));
        }
        for (at, line) in source.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > LONGEST_LINE {
                faults.push(format!("{name}:{} has {columns} columns", at + 1));
            }
        }
        for (at, length) in functions(&source) {
            if length > LONGEST_FUNCTION {
                faults.push(format!("{name}:{at} is a function of {length} lines"));
            }
        }
    }
    none_of("files, lines and functions are short", faults);
}

/// Where each function begins, and how many lines it has. A function ends with the first brace at
/// its own indentation.
fn functions(source: &Source) -> Vec<(usize, usize)> {
    let code = source.code();
    let mut found = Vec::new();
    for (place, (at, line)) in code.iter().enumerate() {
        let start = line.trim_start();
        let is_function = start.starts_with("fn ") || start.contains(" fn ");
        if !is_function || start.starts_with("impl") || line.trim_end().ends_with(';') {
            continue;
        }
        let end = format!("{}}}", &line[..line.len() - start.len()]);
        let length = code[place..]
            .iter()
            .position(|(_, line)| line.trim_end() == end);
        found.extend(length.map(|length| (*at, length + 1)));
    }
    found
}

#[test]
fn nothing_is_left_to_do() {
    let marks = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
    ];
    let mut faults = Vec::new();
    for source in all() {
        for (at, line) in source.text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                faults.push(format!("{}:{}", source.name(), at + 1));
            }
        }
    }
    none_of("nothing is left to do", faults);
}

#[test]
fn no_test_waits_for_better_days() {
    let mark = concat!("#[ig", "nore");
    // What needs other software is run by `.ci/run`.
    let ours = all()
        .into_iter()
        .filter(|source| !source.name().starts_with("tests/real/"));
    let ignored = ours.filter(|source| source.text.contains(mark));
    none_of(
        "every test runs",
        ignored.map(|source| source.name()).collect(),
    );
}

#[test]
fn every_limit_is_named_in_a_test() {
    let sources = sources(&["host", "tests"]);
    let own = Path::new(file!()).file_name().unwrap();
    let tests: Vec<_> = sources
        .iter()
        .filter(|source| source.path.file_name() != Some(own))
        .map(Source::tests)
        .collect();
    // In a text `\\n` begins a line.
    let tests: Vec<_> = tests.iter().map(|text| text.replace("\\n", "\n")).collect();
    let named = |key: &str| tests.iter().any(|text| has_word(text, key));
    let rows = LIMITS.iter().flat_map(|group| group.rows);
    let missing = rows.filter(|limit| !named(limit.key));
    none_of(
        "a test reaches every limit",
        missing.map(|limit| limit.key.to_owned()).collect(),
    );
}

/// True where a word stands in a text alone.
fn has_word(text: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).any(|(at, _)| {
        !part(text[..at].chars().next_back()) && !part(text[at + word.len()..].chars().next())
    })
}

#[test]
fn code_is_told_from_texts() {
    let cases = [
        ("let a = \"crate::x\"; // crate::y", "let a = ; "),
        ("a(\"say \\\"no\\\"\", b)", "a(, b)"),
        ("let url = \"http://x\"; b()", "let url = ; b()"),
        ("plain(code)", "plain(code)"),
    ];
    for (line, expected) in cases {
        assert_eq!(without_texts(line), expected, "{line}");
    }
}

#[test]
fn the_architecture_names_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let quoted = text.split('`').skip(1).step_by(2);
    let names = quoted.filter(|name| name.ends_with(".rs"));
    let paths: Vec<_> = all().into_iter().map(|source| source.path).collect();
    let missing = names.filter(|name| !paths.iter().any(|path| path.ends_with(name)));
    let missing = missing.map(str::to_owned).collect();
    none_of("every file that the architecture names is there", missing);
}
