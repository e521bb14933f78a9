//! Import circles.

use super::graph_of;
use crate::graph::report::Report;

#[track_caller]
fn check_circles(files: &[(&str, &str)], expected: &[&[&str]]) {
    let graph = graph_of(files);
    let circles: Vec<&Vec<String>> = graph.circles.iter().map(|circle| &circle.files).collect();
    assert_eq!(circles, expected);
}

#[test]
fn a_facade_makes_no_circle() {
    check_circles(
        &[
            ("lib.rs", "pub mod a;"),
            (
                "a/mod.rs",
                "mod one; mod two;\npub use one::One;\npub(crate) use two::*;",
            ),
            ("a/one.rs", "pub struct One;"),
            ("a/two.rs", "use super::One;\npub struct Two(One);"),
        ],
        &[],
    );
}

#[test]
fn a_child_and_its_parent_that_use_each_other() {
    check_circles(
        &[
            ("lib.rs", "pub mod a;"),
            (
                "a/mod.rs",
                "mod child; pub struct Shared;\nfn f() { child::run() }",
            ),
            ("a/child.rs", "use super::Shared;\npub fn run() {}"),
        ],
        &[&["a/child.rs", "a/mod.rs"]],
    );
}

#[test]
fn a_child_that_uses_its_parent_alone_is_no_circle() {
    check_circles(
        &[
            ("lib.rs", "pub mod a;"),
            (
                "a/mod.rs",
                "mod child; pub struct Shared; pub use child::run;",
            ),
            ("a/child.rs", "use super::Shared;\npub fn run() {}"),
        ],
        &[],
    );
}

#[test]
fn a_circle_behind_a_facade() {
    check_circles(
        &[
            ("lib.rs", "pub mod a;"),
            (
                "a/mod.rs",
                "mod one; mod two; pub use one::One; pub use two::Two;",
            ),
            ("a/one.rs", "pub struct One(super::Two);"),
            ("a/two.rs", "use super::One;\npub struct Two(One);"),
        ],
        &[&["a/one.rs", "a/two.rs"]],
    );
}

#[test]
fn two_circles_the_largest_first() {
    check_circles(
        &[
            ("lib.rs", "mod a; mod b; mod x; mod y; mod z;"),
            ("a.rs", "pub fn f() { crate::b::f(); crate::x::f() }"),
            ("b.rs", "pub fn f() { crate::a::f() }"),
            ("x.rs", "pub fn f() { crate::y::f() }"),
            ("y.rs", "pub fn f() { crate::z::f() }"),
            ("z.rs", "pub fn f() { crate::x::f() }"),
        ],
        &[&["x.rs", "y.rs", "z.rs"], &["a.rs", "b.rs"]],
    );
}

#[test]
fn an_inline_module_belongs_to_its_file() {
    check_circles(
        &[
            ("lib.rs", "mod a;"),
            (
                "a.rs",
                "mod x { pub fn f() { super::y::f() } } mod y { pub fn f() { super::x::f() } }",
            ),
        ],
        &[],
    );
}

#[test]
fn the_report_has_a_line_for_each_import_of_a_circle() {
    let mut graph = graph_of(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod one;\nmod two;\nmod three;"),
        (
            "a/one.rs",
            "use super::two::Two;\nuse super::three::Three;\npub struct One;",
        ),
        ("a/two.rs", "pub struct Two;\nfn f() { super::one::One; }"),
        ("a/three.rs", "pub struct Three;"),
    ]);
    graph.name = "net".to_owned();
    let report = Report::new(vec![graph]);
    assert!(!report.passed());
    assert_eq!(
        report.to_string(),
        "\
layer 0
  net      10 lines

import circle of 2 files in net, a/: one.rs, two.rs
  a/one.rs:1  super::two::Two  (two.rs)
  a/two.rs:2  super::one::One  (one.rs)

1 crate, 5 files: 1 import circle, 0 forbidden dependencies
"
    );
}
