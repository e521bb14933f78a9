//! Every limit and the test that reaches it.

use std::collections::{BTreeMap, BTreeSet};

use ouli_config::LIMITS;

use crate::support::source::{Definition, definitions, root};

/// The limits that each test reaches, by file and test.
type Reached = BTreeMap<String, BTreeMap<String, Vec<String>>>;

fn reached() -> Reached {
    toml::from_str(include_str!("coverage.toml")).unwrap()
}

#[test]
fn every_limit_has_a_test_that_reaches_it() {
    let reached = reached();
    let tests = reached.values().flat_map(BTreeMap::values);
    let listed: Vec<_> = tests.flatten().map(String::as_str).collect();
    let once: BTreeSet<_> = listed.iter().copied().collect();
    assert_eq!(once.len(), listed.len(), "a limit is listed twice");
    let limits = LIMITS.iter().flat_map(|group| group.rows);
    let limits: BTreeSet<_> = limits.map(|limit| limit.key).collect();
    let missing: Vec<_> = limits.difference(&once).collect();
    let unknown: Vec<_> = once.difference(&limits).collect();
    assert!(missing.is_empty(), "not listed: {missing:?}");
    assert!(unknown.is_empty(), "listed, but no limits: {unknown:?}");
}

#[test]
fn every_test_that_is_listed_sets_its_limits() {
    let mut faults = Vec::new();
    for (file, tests) in reached() {
        let path = root().join("tests").join(&file);
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let definitions = definitions(&text);
        for (test, keys) in tests {
            let strings = strings(&definitions, &test);
            if strings.is_empty() {
                faults.push(format!("{file}: there is no test {test}"));
            }
            let unset = keys.iter().filter(|key| !sets(&strings, key));
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
