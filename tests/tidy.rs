//! Style rules of the source.

use std::path::PathBuf;

use ouli_config::LIMITS;

use crate::support::source;

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
        self.path
            .strip_prefix(source::root())
            .unwrap()
            .display()
            .to_string()
    }
}

fn all() -> Vec<Source> {
    let folders = ["host", "plugins", "tests", "benches", "examples"];
    let files = source::rust_files(&folders).into_iter();
    files.map(|(path, text)| Source { path, text }).collect()
}

/// Reports all faults at once.
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
fn every_file_has_a_module_comment() {
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
        let functions = source::definitions(&source.text).into_iter();
        let long = functions.filter(|it| it.is_function && it.lines > LONGEST_FUNCTION);
        faults.extend(long.map(|it| format!("{name}:{} has {} lines", it.line, it.lines)));
    }
    none_of("files, lines and functions are short", faults);
}

#[test]
fn there_are_no_todo_marks() {
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
    none_of("there are no open marks", faults);
}

#[test]
fn no_test_is_ignored() {
    let mark = concat!("#[ig", "nore");
    // Tests that need other software are run by `.ci/run`.
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
fn every_limit_has_a_row_in_the_documentation() {
    let text = std::fs::read_to_string(source::root().join("host/docs/settings.md")).unwrap();
    let limits = LIMITS.iter().flat_map(|group| group.rows);
    let missing = limits.filter(|limit| {
        let row = format!("| `{}` |", limit.key);
        !text.lines().any(|line| line.starts_with(&row))
    });
    none_of(
        "every limit has a row in host/docs/settings.md",
        missing.map(|limit| limit.key.to_owned()).collect(),
    );
}

#[test]
fn the_architecture_names_files_that_exist() {
    let text = std::fs::read_to_string(source::root().join("ARCHITECTURE.md")).unwrap();
    let quoted = text.split('`').skip(1).step_by(2);
    let names = quoted.filter(|name| name.ends_with(".rs"));
    let paths: Vec<_> = all().into_iter().map(|source| source.path).collect();
    let missing = names.filter(|name| !paths.iter().any(|path| path.ends_with(name)));
    let missing = missing.map(str::to_owned).collect();
    none_of("every file that ARCHITECTURE.md names exists", missing);
}
