//! How the path of an import may begin, and the forms of `use`.

use super::check;

#[test]
fn a_path_from_the_root() {
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::Thing;"),
            ("b.rs", "pub struct Thing;"),
        ],
        &["a.rs:1 b.rs crate::b::Thing"],
    );
}

#[test]
fn super_once_and_more_often() {
    check(
        &[
            ("lib.rs", "mod top; pub mod a;"),
            ("top.rs", "pub fn run() {}"),
            ("a/mod.rs", "mod near; mod b;"),
            ("a/near.rs", "pub const LIMIT: usize = 1;"),
            ("a/b/mod.rs", "mod c;"),
            (
                "a/b/c.rs",
                "use super::super::near::LIMIT;\nfn f() { super::super::super::top::run() }",
            ),
        ],
        &[
            "a/b/c.rs:1 a/near.rs super::super::near::LIMIT",
            "a/b/c.rs:2 top.rs super::super::super::top::run",
        ],
    );
}

#[test]
fn self_and_a_child_module() {
    check(
        &[
            ("lib.rs", "mod a;"),
            (
                "a/mod.rs",
                "mod b; mod c;\nuse self::b::One;\nfn f() { c::two() }",
            ),
            ("a/b.rs", "pub struct One;"),
            ("a/c.rs", "pub fn two() {}"),
        ],
        &["a/mod.rs:2 a/b.rs self::b::One", "a/mod.rs:3 a/c.rs c::two"],
    );
}

#[test]
fn self_then_super() {
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "fn f() { self::super::b::run() }"),
            ("b.rs", "pub fn run() {}"),
        ],
        &["a.rs:1 b.rs self::super::b::run"],
    );
}

#[test]
fn the_crate_by_another_name() {
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate as c;\nfn f() { c::b::run() }"),
            ("b.rs", "pub fn run() {}"),
        ],
        &["a.rs:2 b.rs c::b::run"],
    );
}

#[test]
fn the_crate_as_extern_crate() {
    check(
        &[
            ("lib.rs", "extern crate self as me; mod a; mod b;"),
            ("a.rs", "fn f() { crate::me::b::run() }"),
            ("b.rs", "pub fn run() {}"),
        ],
        &["a.rs:1 b.rs crate::me::b::run"],
    );
}

#[test]
fn a_renamed_item_and_a_renamed_module() {
    check(
        &[
            ("lib.rs", "mod a; mod b; mod c;"),
            (
                "a.rs",
                "use crate::b::Thing as Other;\n\
                 use super::c as renamed;\n\
                 fn f(_: Other) { renamed::run() }",
            ),
            ("b.rs", "pub struct Thing;"),
            ("c.rs", "pub fn run() {}"),
        ],
        &["a.rs:1 b.rs crate::b::Thing", "a.rs:3 c.rs renamed::run"],
    );
}

#[test]
fn a_trait_without_a_name() {
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::Read as _;"),
            ("b.rs", "pub trait Read {}"),
        ],
        &["a.rs:1 b.rs crate::b::Read"],
    );
}

#[test]
fn groups_and_a_group_with_self() {
    check(
        &[
            ("lib.rs", "mod a; mod b; mod c;"),
            (
                "a.rs",
                "use crate::{\n\
                     b::{self, One},\n\
                     c::Two,\n\
                 };\n\
                 fn f(_: One, _: Two) { b::run() }",
            ),
            ("b.rs", "pub struct One; pub fn run() {}"),
            ("c.rs", "pub struct Two;"),
        ],
        &["a.rs:2 b.rs crate::b::One", "a.rs:3 c.rs crate::c::Two"],
    );
}

#[test]
fn a_glob_counts_by_the_names_that_are_used() {
    check(
        &[
            ("lib.rs", "mod a; mod b; mod c;"),
            (
                "a.rs",
                "use crate::b::*;\nuse crate::c::*;\nfn f() { run(); }",
            ),
            ("b.rs", "pub fn run() {}"),
            ("c.rs", "pub fn other() {} fn run() {}"),
        ],
        &["a.rs:3 b.rs run"],
    );
}

#[test]
fn a_glob_counts_by_the_methods_of_its_traits() {
    check(
        &[
            ("lib.rs", "mod a; mod b; mod c;"),
            (
                "a.rs",
                "use crate::b::*;\nuse crate::c::*;\nfn f() { 1.twice(); }",
            ),
            ("b.rs", "pub trait Twice { fn twice(&self); }"),
            ("c.rs", "pub trait Thrice { fn thrice(&self); }"),
        ],
        &["a.rs:1 b.rs crate::b::*"],
    );
}

#[test]
fn the_variants_of_an_enum() {
    check(
        &[
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            ("a.rs", "fn f() { crate::b::State::Open; }"),
            ("b.rs", "pub enum State { Open }"),
            (
                "c.rs",
                "use crate::b::State::*;\nfn f(s: usize) { match s { Open => {} _ => {} } }",
            ),
            ("d.rs", "use crate::b::State::Open;"),
        ],
        &[
            "a.rs:1 b.rs crate::b::State::Open",
            "c.rs:1 b.rs crate::b::State::*",
            "d.rs:1 b.rs crate::b::State::Open",
        ],
    );
}

#[test]
fn the_name_of_a_module_alone_is_no_import() {
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b;"),
            ("b.rs", "pub fn run() {}"),
        ],
        &[],
    );
}

#[test]
fn a_module_and_a_function_of_one_name() {
    check(
        &[
            ("lib.rs", "mod a; mod user;"),
            ("a/mod.rs", "pub mod run; pub use run::run;"),
            ("a/run.rs", "pub fn run() {}"),
            ("user.rs", "use crate::a::run;"),
        ],
        &["user.rs:1 a/run.rs crate::a::run"],
    );
}

#[test]
fn other_crates_are_no_files() {
    check(
        &[
            ("lib.rs", "mod a; mod bytes;"),
            (
                "a.rs",
                "use bytes::bytes;\n\
                 use ::bytes::Bytes;\n\
                 use std::fmt;\n\
                 fn f(_: bytes::Bytes, _: fmt::Error) {}",
            ),
            ("bytes.rs", "pub struct Bytes;"),
        ],
        &[],
    );
}

#[test]
fn a_path_that_leads_nowhere_is_reported() {
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::Missing;"),
            ("b.rs", ""),
        ],
        &["a.rs:1 unresolved crate::b::Missing"],
    );
}
