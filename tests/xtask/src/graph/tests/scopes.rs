//! Places in the code that hold a path, and names that hide others.

use super::{check, imports_of};

const ITEMS: &str = "\
    pub struct Thing; pub struct Plain { pub n: usize } pub struct Pair(pub usize);
    pub trait Read { type Out; fn read(); } pub const ONE: usize = 1; pub fn run() {}
    pub enum State { Open { n: usize }, Closed }";

/// A crate whose `a.rs` has this code, beside `b.rs` with `ITEMS`.
#[track_caller]
fn check_code(code: &str, expected: &[&str]) {
    let files = [("lib.rs", "mod a; mod b;"), ("a.rs", code), ("b.rs", ITEMS)];
    check(&files, expected);
}

#[test]
fn expressions_types_and_patterns() {
    for (code, path) in [
        ("fn f() { crate::b::run() }", "crate::b::run"),
        (
            "fn f() { let _ = crate::b::Plain { n: 1 }; }",
            "crate::b::Plain",
        ),
        ("fn f(_: &[crate::b::Thing]) {}", "crate::b::Thing"),
        (
            "fn f() -> Vec<crate::b::Thing> { Vec::new() }",
            "crate::b::Thing",
        ),
        (
            "struct S { thing: Option<crate::b::Thing> }",
            "crate::b::Thing",
        ),
        ("fn f<T: crate::b::Read>() {}", "crate::b::Read"),
        ("fn f<T>() where T: crate::b::Read {}", "crate::b::Read"),
        ("struct S; impl crate::b::Read for S {}", "crate::b::Read"),
        (
            "fn f<T>(_: <T as crate::b::Read>::Out) {}",
            "crate::b::Read",
        ),
        ("fn f() { <crate::b::Thing>::new() }", "crate::b::Thing"),
        (
            "fn f(n: usize) { match n { crate::b::ONE => {} _ => {} } }",
            "crate::b::ONE",
        ),
        ("fn f(crate::b::Pair(_): usize) {}", "crate::b::Pair"),
        ("fn f(crate::b::Plain { .. }: usize) {}", "crate::b::Plain"),
        ("const N: [u8; crate::b::ONE] = [0];", "crate::b::ONE"),
        (
            "fn f() { Vec::<crate::b::Thing>::new() }",
            "crate::b::Thing",
        ),
        (
            "fn f(s: S) { s.of::<crate::b::Thing>() }",
            "crate::b::Thing",
        ),
        ("fn f(_: impl Fn(crate::b::Thing)) {}", "crate::b::Thing"),
        ("type T = dyn crate::b::Read;", "crate::b::Read"),
    ] {
        check_code(code, &[&format!("a.rs:1 b.rs {path}")]);
    }
}

#[test]
fn a_char_literal_with_a_quote_hides_nothing() {
    check_code(
        "fn f(c: char) -> bool { c == '\"' }\n\
         fn g() { crate::b::run() }\n\
         fn h(c: char) -> bool { c == '\"' }",
        &["a.rs:2 b.rs crate::b::run"],
    );
}

#[test]
fn comments_and_texts_are_no_paths() {
    check_code(
        "//! [`crate::b::Thing`]\n\
         /// crate::b::run()\n\
         // crate::b::run()\n\
         const TEXT: &str = \"crate::b::run()\";",
        &[],
    );
}

#[test]
fn a_use_inside_a_function() {
    check_code(
        "fn f() {\n    use super::b;\n    b::run();\n}\nfn g() { b::run() }",
        &["a.rs:3 b.rs b::run"],
    );
}

#[test]
fn super_in_an_inline_module_is_the_module_of_the_file() {
    check_code(
        "fn own() {}\nmod inner {\n    fn f() { super::own(); super::super::b::run() }\n}",
        &["a.rs:3 b.rs super::super::b::run"],
    );
}

#[test]
fn super_in_a_block_with_items_skips_the_block() {
    check_code(
        "fn f() {\n    fn inner() { super::b::run() }\n    inner()\n}",
        &["a.rs:2 b.rs super::b::run"],
    );
}

#[test]
fn variables_and_type_parameters_hide_names_of_a_glob() {
    check_code(
        "use super::b::*;\n\
         fn f(run: usize) -> usize { run }\n\
         struct S<Thing>(Thing);\n\
         impl<Thing> S<Thing> { fn of(t: Thing) {} }",
        &[],
    );
}

#[test]
fn an_item_of_a_function_hides_a_name_of_a_glob() {
    check_code("use super::b::*;\nfn f() { fn run() {} run() }", &[]);
}

#[test]
fn a_field_or_method_is_no_name() {
    check_code("use super::b::*;\nfn f(s: S) { s.run(); s.run; }", &[]);
}

#[test]
fn test_items_count_on_request_only() {
    let files = [
        ("lib.rs", "mod a; mod b; #[cfg(test)] mod checks;"),
        (
            "a.rs",
            "#[cfg(test)]\n\
             use crate::b::Thing;\n\
             #[cfg(all(test, unix))]\n\
             mod tests { use crate::b::run; }",
        ),
        ("b.rs", ITEMS),
        ("checks.rs", "#[test]\nfn f() { crate::b::run() }"),
    ];
    assert!(imports_of(&files, false).is_empty());
    assert_eq!(
        imports_of(&files, true),
        [
            "a.rs:2 b.rs crate::b::Thing",
            "checks.rs:2 b.rs crate::b::run"
        ]
    );
}

#[test]
fn test_only_parts_of_items_are_skipped() {
    for code in [
        "#[test] fn f() { crate::b::run() }",
        "struct S; impl S { #[cfg(test)] fn f() { crate::b::run() } }",
        "trait T { #[cfg(test)] fn f() { crate::b::run() } }",
        "fn f() { #[cfg(test)] let x = crate::b::run(); }",
        "struct S { #[cfg(test)] thing: crate::b::Thing }",
        "enum E { #[cfg(test)] A(crate::b::Thing) }",
        "fn f() { #[cfg(test)] fn g() { crate::b::run() } }",
        "#![cfg(test)] fn f() { crate::b::run() }",
        "#[cfg(not(not(test)))] fn f() { crate::b::run() }",
        "#[cfg(any(test, all(test, unix)))] fn f() { crate::b::run() }",
    ] {
        check_code(code, &[]);
    }
}

#[test]
fn other_conditions_count() {
    for condition in [
        "not(test)",
        "unix",
        "any(test, unix)",
        "feature = \"test\"",
        "not(unix)",
    ] {
        let code = format!("#[cfg({condition})] fn f() {{ crate::b::run() }}");
        check_code(&code, &["a.rs:1 b.rs crate::b::run"]);
    }
}

#[test]
fn paths_in_attributes() {
    check_code(
        "#[derive(Default)]\nstruct S { #[serde(with = \"crate::b\", rename = \"run\")] n: usize }",
        &["a.rs:2 b.rs crate::b"],
    );
    check_code(
        "#[error(\"{}\", crate::b::run())] struct S;",
        &["a.rs:1 b.rs crate::b::run"],
    );
}
