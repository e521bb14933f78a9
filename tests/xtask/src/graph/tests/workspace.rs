//! Workspaces of several crates, as cargo reports them.

use super::folder;
use crate::graph::{Options, check};

const WORKSPACE: &str = "\
[package]
name = \"gateway-program\"
version = \"0.1.0\"
edition = \"2024\"

[[bin]]
name = \"gateway-program\"
path = \"host/main.rs\"

[workspace]
members = [\"host/*\", \"tests/tool\"]

[dependencies]
gateway-net = { path = \"host/net\" }
";

fn manifest(name: &str, dependencies: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{dependencies}")
}

fn report(net: &str, options: &Options) -> anyhow::Result<(String, bool)> {
    let message = manifest(
        "gateway-message",
        "[dev-dependencies]\nrustls = \"0.23\"\n[build-dependencies]\nwasmtime = \"48\"",
    );
    let folder = folder(&[
        ("Cargo.toml", WORKSPACE),
        ("host/main.rs", "fn main() {}"),
        ("host/net/Cargo.toml", net),
        ("host/net/src/lib.rs", "mod a;\nmod b;"),
        ("host/net/src/a.rs", "pub fn f() { crate::b::f() }"),
        (
            "host/net/src/b.rs",
            "pub fn f() {}\n#[cfg(test)] use super::a::f as g;",
        ),
        ("host/message/Cargo.toml", &message),
        ("host/message/src/lib.rs", ""),
        (
            "tests/tool/Cargo.toml",
            &manifest("tool", "[dependencies]\nwasmtime = \"48\""),
        ),
        ("tests/tool/src/lib.rs", ""),
    ]);
    let report = check(folder.path(), options)?;
    Ok((report.to_string(), report.passed()))
}

fn net() -> String {
    manifest(
        "gateway-net",
        "[dependencies]\nh2 = \"=0.4.9\"\ngateway-message = { path = \"../message\" }
hyper = { version = \"1\", features = [\"server\"] }",
    )
}

#[test]
fn crates_in_layers() {
    let (text, passed) = report(&net(), &Options::default()).unwrap();
    assert_eq!(
        text,
        "\
layer 0
  message               0 lines
layer 1
  net                   4 lines  uses message
layer 2
  gateway-program       1 lines  uses net

restricted dependencies
  net -> h2
  net -> hyper (feature server)

3 crates, 5 files: 0 import circles, 0 forbidden dependencies
"
    );
    assert!(passed);
}

#[test]
fn a_forbidden_dependency_fails() {
    let net = manifest(
        "gateway-net",
        "[dependencies]\n\
         wasmtime-wasi = \"48\"\n\
         hyper = { version = \"1\", features = [\"client\"] }",
    );
    let (text, passed) = report(&net, &Options::default()).unwrap();
    assert!(
        text.contains("  net -> wasmtime-wasi  FORBIDDEN: only plugin may use it\n"),
        "{text}"
    );
    assert!(
        text.ends_with("0 import circles, 1 forbidden dependency\n"),
        "{text}"
    );
    assert!(!passed);
}

#[test]
fn one_crate_by_either_name() {
    for name in ["net", "gateway-net"] {
        let arguments = ["--crate".to_owned(), name.to_owned()];
        let options = Options::parse(&arguments).unwrap().unwrap();
        let (text, _) = report(&net(), &options).unwrap();
        assert!(
            text.starts_with("layer 1\n  net       4 lines  uses message\n"),
            "{text}"
        );
        assert!(
            text.ends_with("1 crate, 3 files: 0 import circles, 0 forbidden dependencies\n"),
            "{text}"
        );
    }
}

#[test]
fn an_unknown_crate_is_an_error() {
    let arguments = ["--crate".to_owned(), "nothing".to_owned()];
    let options = Options::parse(&arguments).unwrap().unwrap();
    let error = report(&net(), &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no such crate; the workspace has: gateway-program, message, net"
    );
}

#[test]
fn tests_count_on_request() {
    let options = Options::parse(&["--tests".to_owned()]).unwrap().unwrap();
    let (text, passed) = report(&net(), &options).unwrap();
    assert!(
        text.contains("import circle of 2 files in net, host/net/src/: a.rs, b.rs\n"),
        "{text}"
    );
    assert!(!passed);
}

#[test]
fn wrong_arguments() {
    assert!(Options::parse(&["--crate".to_owned()]).is_err());
    assert!(Options::parse(&["--wrong".to_owned()]).is_err());
    assert_eq!(Options::parse(&["--help".to_owned()]).unwrap(), None);
}
