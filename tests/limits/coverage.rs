//! Every limit, the test that reaches it, and the test that shows its recovery.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use ouli_config::LIMITS;
use serde::Deserialize;

use crate::support::source::{Definition, definitions, root};

/// What each test shows, by file and test.
type Shown = BTreeMap<String, BTreeMap<String, Limits>>;

/// The limits of one test.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    /// Those that it reaches.
    reaches: Vec<String>,
    /// Those after which it shows that what was refused works again, without a restart.
    recovers: Vec<String>,
}

/// One of the lists of a test.
type Column = fn(&Limits) -> &Vec<String>;

fn shown() -> Shown {
    toml::from_str(include_str!("coverage.toml")).unwrap()
}

#[test]
fn every_limit_has_a_test_that_reaches_it_and_one_of_its_recovery() {
    let shown = shown();
    let tests: Vec<_> = shown.values().flat_map(BTreeMap::values).collect();
    let limits = LIMITS.iter().flat_map(|group| group.rows);
    let limits: BTreeSet<_> = limits.map(|limit| limit.key).collect();
    let columns: [(&str, Column); 2] = [
        ("reaches", |test| &test.reaches),
        ("recovers", |test| &test.recovers),
    ];
    for (name, column) in columns {
        let listed = tests.iter().flat_map(|test| column(test));
        let listed: Vec<_> = listed.map(String::as_str).collect();
        let once: BTreeSet<_> = listed.iter().copied().collect();
        assert_eq!(once.len(), listed.len(), "{name}: a limit is listed twice");
        let missing: Vec<_> = limits.difference(&once).collect();
        let unknown: Vec<_> = once.difference(&limits).collect();
        assert!(missing.is_empty(), "{name}: not listed: {missing:?}");
        assert!(unknown.is_empty(), "{name}: no limits: {unknown:?}");
    }
}

#[test]
fn every_test_that_is_listed_runs() {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).arg("--list").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let tests: BTreeSet<_> = text
        .lines()
        .filter_map(|it| it.strip_suffix(": test"))
        .collect();
    for (file, listed) in shown() {
        let module = file.trim_end_matches(".rs").replace('/', "::");
        for test in listed.keys() {
            let name = format!("{module}::{test}");
            assert!(tests.contains(&*name), "there is no test {name}");
        }
    }
}

#[test]
fn every_test_that_is_listed_sets_its_limits() {
    let mut faults = Vec::new();
    for (file, tests) in shown() {
        let path = root().join("tests").join(&file);
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let definitions = definitions(&text);
        for (test, limits) in tests {
            let strings = strings(&definitions, &test);
            let keys = limits.reaches.iter().chain(&limits.recovers);
            let unset = keys.filter(|key| !sets(&strings, key));
            faults.extend(unset.map(|key| format!("{file}: {test} does not set {key}")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The string literals of a test, and of the functions and constants in its file that it uses.
fn strings<'a>(definitions: &'a [Definition], test: &str) -> Vec<&'a str> {
    let mut by_name = BTreeMap::<_, Vec<_>>::new();
    for definition in definitions {
        by_name
            .entry(&*definition.name)
            .or_default()
            .push(definition);
    }
    let Some(test) = definitions.iter().find(|it| it.is_test && it.name == test) else {
        return Vec::new();
    };
    let (mut used, mut waiting) = (BTreeSet::from([&*test.name]), vec![test]);
    let mut strings = Vec::new();
    while let Some(definition) = waiting.pop() {
        strings.extend(definition.strings.iter().map(String::as_str));
        for name in &definition.identifiers {
            // Strings of other tests do not count.
            let found = by_name.get(&**name).into_iter().flatten();
            for found in found.filter(|it| !it.is_test) {
                if used.insert(&*found.name) {
                    waiting.push(found);
                }
            }
        }
    }
    strings
}

/// True if one of the strings has a section of limits with a line that sets this key.
fn sets(strings: &[&str], key: &str) -> bool {
    let section = |text: &&str| text.contains("[limits]\n") || text.contains("limits = {");
    let setting = |line: &str| {
        let value = line.trim_start().strip_prefix(key);
        value.is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let mut lines = strings.iter().flat_map(|text| text.split(['\n', '{', ',']));
    strings.iter().any(section) && lines.any(setting)
}

#[test]
fn settings_are_distinguished_from_words() {
    assert!(sets(&["[limits]\nmemory = \"1 MiB\""], "memory"));
    assert!(sets(&["limits = {{ {limit}, sessions = 1 }}"], "sessions"));
    assert!(sets(&["[limits]\n{limits}", "memory = 1"], "memory"));
    assert!(!sets(&["memory = 1"], "memory"));
    assert!(!sets(&["[limits]\nplugin_memory = 1"], "memory"));
    assert!(!sets(
        &["[limits]\nsessions = 1", "the memory is full"],
        "memory"
    ));
}
