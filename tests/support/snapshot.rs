//! Messages for users, compared as a whole with the files in `tests/snapshots`.
//!
//! To accept changes, run `BLESS=1 cargo test --test suite` and review the diff.

use std::path::{Path, PathBuf};

use regex::Regex;

/// Compares a text with `tests/snapshots/NAME.txt`; panics with the lines that differ. If `BLESS=1`
/// is set, writes the file.
pub(crate) fn assert_snapshot(name: &str, actual: &str) {
    let path = folder().join(format!("{name}.txt"));
    if std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(folder()).unwrap();
        std::fs::write(&path, actual).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run with BLESS=1", path.display()));
    assert!(
        expected == actual,
        "{} differs (- expected, + actual; BLESS=1 accepts it):\n{}",
        path.display(),
        diff(&expected, actual)
    );
}

/// Replaces the values that change with each run: ports, the folder of the test and the version.
pub(crate) fn normalized(text: &str, folder: &Path) -> String {
    let text = text.replace(&folder.display().to_string(), "FOLDER");
    let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let port = Regex::new(r"(127\.0\.0\.1|\[::1\]|localhost):\d+").unwrap();
    port.replace_all(&text, "$1:PORT").into_owned()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots")
}

/// The lines of both texts in order, without equal lines that are far from a difference.
fn diff(expected: &str, actual: &str) -> String {
    const CONTEXT: usize = 2;
    let lines = lines(expected, actual);
    let near = |at: usize| {
        let first = at.saturating_sub(CONTEXT);
        let around = lines[first..].iter().take(at - first + CONTEXT + 1);
        around.clone().any(|line| !line.starts_with("  "))
    };
    let shown = lines.iter().enumerate().filter(|(at, _)| near(*at));
    shown.map(|(_, line)| format!("{line}\n")).collect()
}

/// Every line once, marked as old, new or common, by the longest common subsequence.
fn lines(expected: &str, actual: &str) -> Vec<String> {
    // A missing line feed at the end of a text is a difference.
    let (old, new): (Vec<_>, Vec<_>) =
        (expected.split('\n').collect(), actual.split('\n').collect());
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for (i, old) in old.iter().enumerate().rev() {
        for (j, new) in new.iter().enumerate().rev() {
            common[i][j] = if old == new {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(format!("  {}", old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(format!("- {}", old[i]));
            i += 1;
        } else {
            lines.push(format!("+ {}", new[j]));
            j += 1;
        }
    }
    lines
}

#[test]
fn a_diff_shows_changed_lines_with_context() {
    let old = "one\ntwo\nthree\nfour\nfive\nsix\n";
    let new = "one\ntwo\nthree\nvier\nfive\nsix\nseven\n";
    let expected = "  two\n  three\n- four\n+ vier\n  five\n  six\n+ seven\n  \n";
    assert_eq!(diff(old, new), expected);
}
