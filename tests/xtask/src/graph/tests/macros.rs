//! Paths in the arguments of macros, and macros of the crate.

use super::check;

const ITEMS: &str = "pub struct Thing; pub fn run() -> bool { true } pub enum State { Open }";

/// A crate whose `a.rs` has this code, beside `b.rs` with `ITEMS`.
#[track_caller]
fn check_code(code: &str, expected: &[&str]) {
    let files = [("lib.rs", "mod a; mod b;"), ("a.rs", code), ("b.rs", ITEMS)];
    check(&files, expected);
}

#[test]
fn arguments_of_macros() {
    for (code, path) in [
        (
            "fn f() { assert_eq!(crate::b::run(), true) }",
            "crate::b::run",
        ),
        ("fn f() { assert!(!crate::b::run()) }", "crate::b::run"),
        (
            "fn f(s: S) { matches!(s, crate::b::State::Open) }",
            "crate::b::State::Open",
        ),
        (
            "fn f() { format!(\"{}\", super::b::run()) }",
            "super::b::run",
        ),
        (
            "fn f() { vec![vec![(1, self::super::b::Thing)]] }",
            "self::super::b::Thing",
        ),
        ("fn f() { x!(0..crate::b::run()) }", "crate::b::run"),
        (
            "fn f() { x!(Vec::<crate::b::Thing>::new()) }",
            "crate::b::Thing",
        ),
        ("fn f() { x!(a: crate::b::Thing) }", "crate::b::Thing"),
        ("use super::b; fn f() { assert!(b::run()) }", "b::run"),
        ("use super::b::*; fn f() { assert!(run()) }", "run"),
        ("use super::b::*; fn f() { x!(State::Open) }", "State::Open"),
        (
            "macro_rules! m { () => { $crate::b::run() } }",
            "crate::b::run",
        ),
        (
            "fn f() { x! { use crate::b::{run, State}; } }",
            "crate::b::State",
        ),
        ("x! { struct S(crate::b::Thing); }", "crate::b::Thing"),
    ] {
        check_code(code, &[&format!("a.rs:1 b.rs {path}")]);
    }
}

#[test]
fn tokens_that_are_no_paths_of_the_crate() {
    for code in [
        "use super::b::*; fn f(s: S) { x!(s.run()) }",
        "use super::b::*; fn f(run: bool) { x!(run) }",
        "use super::b::*; fn f() { x!(run = 1) }",
        "use super::b::*; fn f() { x!(fn run() {}) }",
        "use super::b::*; macro_rules! m { ($run:expr) => { $run } }",
        "use super::b::*; fn f() { x!(<T as Other>::run()) }",
        "fn f() { x!('a', \"crate::b::run()\", '\"') }",
        "fn f() { x!(::b::run()) }",
    ] {
        check_code(code, &[]);
    }
}

#[test]
fn a_macro_by_its_path() {
    check(
        &[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::say;\nfn f() { say!(1) }"),
            (
                "b.rs",
                "macro_rules! say { () => {} }\n\
                 macro_rules! tell { () => {} }\n\
                 pub(crate) use {say, tell};",
            ),
            ("c.rs", "fn f() { crate::b::tell!() }"),
        ],
        &["a.rs:1 b.rs crate::b::say", "c.rs:1 b.rs crate::b::tell"],
    );
}

#[test]
fn an_exported_macro_is_in_the_root() {
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "fn f() { crate::say!(1) }"),
            ("b.rs", "#[macro_export] macro_rules! say { () => {} }"),
        ],
        &["a.rs:1 b.rs crate::say"],
    );
}

#[test]
fn a_macro_by_its_place_in_the_text() {
    check(
        &[
            ("lib.rs", "#[macro_use] mod macros; mod a;"),
            ("macros.rs", "macro_rules! say { () => {} }"),
            ("a/mod.rs", "macro_rules! tell { () => {} } mod b;"),
            ("a/b.rs", "fn f() { say!() }\nfn g() { tell!() }"),
        ],
        &["a/b.rs:1 macros.rs say", "a/b.rs:2 a/mod.rs tell"],
    );
}

#[test]
fn items_that_a_macro_defines() {
    check(
        &[
            ("lib.rs", "mod a; mod b; mod facade;"),
            ("facade.rs", "pub use crate::b::exports::More;"),
            (
                "a.rs",
                "use crate::b::exports::host::Thing;\nuse crate::facade::More;",
            ),
            ("b.rs", "other::bindgen!();"),
        ],
        &["a.rs:1 b.rs crate::b::exports::host::Thing"],
    );
}
