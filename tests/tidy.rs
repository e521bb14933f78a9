//! The rules of the house, kept by looking at the source.

use std::path::{Path, PathBuf};

use ouli_gateway::config::LIMITS;

/// The modules of the library from the bottom, as `host/lib.rs` lists them: a module uses those of
/// the layers below its own, and of its own layer only where the layer allows it.
const LAYERS: [&[&str]; 7] = [
    &["exchange", "fault"],
    &["config", "drain", "reading", "tls"],
    &["server", "upstream", "cassette", "plugin"],
    &["session"],
    &["mode"],
    &["gateway"],
    &["cli", "demo"],
];

/// The doors know nothing of each other.
const APART: usize = 2;

const LONGEST_FILE: usize = 400;
const LONGEST_LINE: usize = 100;
const LONGEST_FUNCTION: usize = 70;

/// Words that have another one in the glossary, and names that say nothing.
const UNWANTED: [&str; 12] = [
    "fingerprint",
    "tape",
    "backend",
    "sanitize",
    "sanitise",
    "scrub",
    "interaction",
    "manager",
    "helper",
    "helpers",
    "utils",
    "misc",
];

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

    /// The module of the library that the file belongs to; none for the library itself and for the
    /// program.
    fn module(&self) -> Option<String> {
        let name = self.name();
        let module = name.strip_prefix("host/")?.split('/').next()?;
        let module = module.trim_end_matches(".rs");
        layer(module).map(|_| module.to_owned())
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

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
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
fn modules_use_only_the_layers_below() {
    let mut faults = Vec::new();
    for source in sources(&["host"]) {
        let Some(module) = source.module() else {
            continue;
        };
        let own = layer(&module).unwrap();
        for used in modules_used(&source) {
            let Some(other) = layer(&used) else {
                continue;
            };
            let sideways = other == own && used != module && own == APART;
            if other > own || sideways {
                faults.push(format!("{}: `{module}` uses `{used}`", source.name()));
            }
        }
    }
    none_of("a module uses the layers below its own", faults);
}

/// The modules behind every `crate::` of a file.
fn modules_used(source: &Source) -> Vec<String> {
    let code: Vec<_> = source.code().into_iter().map(|(_, line)| line).collect();
    let code = code.join(" ");
    let word = |text: &str| -> String {
        let word = text.trim_start().chars();
        word.take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut used = Vec::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => used.push(word(rest)),
            Some(group) => used.extend(outer_items(group).iter().map(|item| word(item))),
        }
    }
    used
}

/// The items of a group of imports, up to the brace that ends it; groups within belong to their
/// item.
fn outer_items(group: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut depth = 0;
    for character in group.chars() {
        match character {
            '}' if depth == 0 => break,
            ',' if depth == 0 => items.push(String::new()),
            '{' => depth += 1,
            '}' => depth -= 1,
            other => items.last_mut().unwrap().push(other),
        }
    }
    items
}

#[test]
fn the_table_of_layers_is_the_one_that_readers_see() {
    let library =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("host/lib.rs")).unwrap();
    let declared: Vec<_> = library
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod "))
        .collect();
    for module in declared {
        let module = module.trim_end_matches(';');
        let at = layer(module).unwrap_or_else(|| panic!("`{module}` is in no layer"));
        let shown = library
            .lines()
            .find(|line| line.starts_with(&format!("//! {at} ")));
        assert!(
            shown.is_some_and(|line| line.contains(module)),
            "`{module}` is not shown in layer {at}"
        );
    }
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
fn names_come_from_the_glossary() {
    let mut faults = Vec::new();
    for source in sources(&["host"]) {
        for (at, line) in source.code() {
            for word in words(&line) {
                if UNWANTED.contains(&word.as_str()) {
                    faults.push(format!("{}:{at} says `{word}`", source.name()));
                }
            }
        }
    }
    none_of("names come from the glossary", faults);
}

/// The words of all names in a line, in lower case: `TapeReader` and `tape_reader` are `tape` and
/// `reader`.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for character in line.chars() {
        if !character.is_alphanumeric() || (character.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if character.is_alphanumeric() {
            words.last_mut().unwrap().extend(character.to_lowercase());
        }
        before = character;
    }
    words
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
    assert_eq!(
        words("fn TapeReader_of(x: u8)"),
        ["fn", "tape", "reader", "of", "x", "", "u8", ""]
    );
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
