//! Names that `pub use` brings to another module.

use super::check;

#[test]
fn a_name_resolves_to_the_file_that_defines_it() {
    check(
        &[
            ("lib.rs", "mod a; mod user;"),
            (
                "a/mod.rs",
                "mod b; pub use b::Thing; pub use b::Thing as Other;",
            ),
            ("a/b.rs", "pub struct Thing;"),
            ("user.rs", "use crate::a::Other;"),
        ],
        &["user.rs:1 a/b.rs crate::a::Other"],
    );
}

#[test]
fn a_chain_of_globs() {
    check(
        &[
            ("lib.rs", "mod a; mod user; pub use a::*;"),
            ("a/mod.rs", "mod b; pub use self::b::*;"),
            ("a/b.rs", "pub struct Thing;"),
            ("user.rs", "use crate::Thing;"),
        ],
        &["user.rs:1 a/b.rs crate::Thing"],
    );
}

#[test]
fn a_glob_brings_visible_names_only() {
    check(
        &[
            ("lib.rs", "mod a; mod user;"),
            ("a/mod.rs", "mod b; mod c; pub use b::*; pub use c::*;"),
            ("a/b.rs", "fn run() {} use super::c::other as look;"),
            (
                "a/c.rs",
                "pub fn run() {} pub fn other() {} pub fn look() {}",
            ),
            ("user.rs", "use crate::a::run;\nuse crate::a::look;"),
        ],
        &[
            "a/b.rs:1 a/c.rs super::c::other",
            "user.rs:1 a/c.rs crate::a::run",
        ],
    );
}

#[test]
fn a_name_of_the_module_is_before_a_name_of_a_glob() {
    check(
        &[
            ("lib.rs", "mod a; mod user;"),
            ("a/mod.rs", "mod b; pub use b::*; pub fn run() {}"),
            ("a/b.rs", "pub fn run() {}"),
            ("user.rs", "use crate::a::run;"),
        ],
        &["user.rs:1 a/mod.rs crate::a::run"],
    );
}

#[test]
fn a_private_import_of_the_parent() {
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "use crate::b::Thing;\nmod child;"),
            ("a/child.rs", "use super::Thing;"),
            ("b.rs", "pub struct Thing;"),
        ],
        &[
            "a/child.rs:1 b.rs super::Thing",
            "a/mod.rs:1 b.rs crate::b::Thing",
        ],
    );
}

#[test]
fn a_reexported_module() {
    check(
        &[
            ("lib.rs", "mod a; mod user;"),
            ("a/mod.rs", "mod b; pub use b::inner;"),
            ("a/b/mod.rs", "pub mod inner;"),
            ("a/b/inner.rs", "pub fn run() {}"),
            ("user.rs", "use crate::a::inner;\nfn f() { inner::run() }"),
        ],
        &["user.rs:2 a/b/inner.rs inner::run"],
    );
}

#[test]
fn a_reexport_that_is_also_used() {
    check(
        &[
            ("lib.rs", "mod a;"),
            ("a/mod.rs", "mod b;\npub use b::Thing;\nfn f(_: Thing) {}"),
            ("a/b.rs", "pub struct Thing;"),
        ],
        &["a/mod.rs:3 a/b.rs Thing"],
    );
}

#[test]
fn imports_that_name_each_other_end() {
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "pub use crate::b::*; pub use crate::b::Lost;"),
            (
                "b.rs",
                "pub use crate::a::*; pub use crate::a::Lost;\nuse crate::a::Never;",
            ),
        ],
        &["b.rs:2 unresolved crate::a::Never"],
    );
}
