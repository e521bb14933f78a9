//! Invalid configurations: the snapshots of their messages, and single errors.

use std::path::PathBuf;

use super::{errors, read};

/// Compares a text with the snapshot file of this name. With `BLESS=1` in the environment the file
/// is written instead.
fn assert_snapshot(name: &str, text: &str) {
    let path = snapshot_path(name);
    #[expect(
        clippy::disallowed_methods,
        reason = "only this test reads the variable"
    )]
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    let hint = "to accept the new text, run the test with BLESS=1";
    assert_eq!(text, expected, "{} differs; {hint}", path.display());
}

fn snapshot_path(name: &str) -> PathBuf {
    let folder = "src/tests/snapshots";
    [env!("CARGO_MANIFEST_DIR"), folder, name].iter().collect()
}

fn input(name: &str) -> String {
    std::fs::read_to_string(snapshot_path(name)).unwrap()
}

#[test]
fn all_errors_are_reported_at_once() {
    let settings = [
        "limits.nothing=1",
        "limits.memory=lots",
        "endpoint.listen=127.0.0.1:1",
        "endpoint.apo.tls=off",
        "endpoint.other.tls=off",
        "a b=1",
    ];
    let errors = read(&input("invalid.toml"), &settings).unwrap_err();
    assert_snapshot("invalid.txt", &format!("{errors}\n"));
}

#[test]
fn syntax_errors_do_not_hide_other_errors() {
    let errors = read(&input("not_toml.toml"), &[]).unwrap_err();
    assert_snapshot("not_toml.txt", &format!("{errors}\n"));
    // The upstream may be in the part that could not be parsed.
    assert!(!errors.to_string().contains("upstream"), "{errors}");
}

#[test]
fn rejects_values_that_do_not_fit_together() {
    let two = "[[endpoint]]\nname = 'a'\nlisten = '127.0.0.1:80'\n[[endpoint]]\n";
    let cases = [
        (
            "mode = 'record'",
            "endpoint: mode record needs an upstream; pass `--upstream URL`",
        ),
        (
            "mode = 'auto'\n[[endpoint]]",
            ":2: endpoint[0].upstream: mode auto needs an upstream",
        ),
        (
            "[[endpoint]]\nlisten = '127.0.0.1:9'\nupstream = 'http://localhost:9'",
            ":1: endpoint[0]: the upstream is the endpoint `default` of this gateway",
        ),
        (
            "[[plugin]]\nfile = 'a.wasm'\n[[plugin]]\nfile = 'a.wasm'",
            ":3: plugin.\"a.wasm\"",
        ),
        ("[[plugin]]\nfile = 'x/a.wasm'", "is a path"),
        ("[[plugin]]\nfile = 'a.wasm'\nroutes = []", "never called"),
        (
            "[matcher]\nx = nan",
            "matcher.x: unknown key; allowed: defaults",
        ),
        ("[endpoint]\nname = 'a'", "write `[[endpoint]]` above each"),
        (
            "limits.endpoints = 1\n[[endpoint]]\nname = 'a'\nlisten = '127.0.0.1:1'\n\
             [[endpoint]]\nname = 'b'\nlisten = '127.0.0.1:2'",
            ":5: endpoint.b: 2 endpoints, at most 1 allowed; raise `limits.endpoints`",
        ),
        (
            &format!("{two}name = 'a'\nlisten = '127.0.0.1:81'"),
            "two endpoints are named `a`",
        ),
        (
            &format!("{two}name = 'b'\nlisten = '127.0.0.1:80'"),
            "`a` already listens on",
        ),
        (
            &format!("{two}name = 'b'\nlisten = '0.0.0.0:80'"),
            "`a` already listens on",
        ),
        (
            &format!("{two}listen = '127.0.0.1:81'"),
            "endpoint[1].name: missing",
        ),
        (
            &format!("{two}name = 'b'"),
            ":4: endpoint.b.listen: missing",
        ),
    ];
    for (text, expected) in cases {
        let errors = errors(text, &[]);
        assert_eq!(errors.len(), 1, "{text}\n{errors:#?}");
        assert!(errors[0].contains(expected), "{errors:?} is not {expected}");
    }
}
