//! Files of modules, and lines of code.

use super::{check, folder, graph_of};
use crate::graph::load;

#[test]
fn files_beside_and_below_their_parent() {
    check(
        &[
            ("lib.rs", "mod a; mod b; mod end;"),
            ("a.rs", "mod c;"),
            ("a/c.rs", "use crate::end::E;"),
            ("b/mod.rs", "mod r#type;"),
            ("b/type.rs", "use crate::end::E;"),
            ("end.rs", "pub struct E;"),
        ],
        &[
            "a/c.rs:1 end.rs crate::end::E",
            "b/type.rs:1 end.rs crate::end::E",
        ],
    );
}

#[test]
fn files_by_a_path_attribute() {
    check(
        &[
            (
                "lib.rs",
                "#[path = \"other/name.rs\"] mod a; mod end; mod b;",
            ),
            ("other/name.rs", "mod child; use crate::end::E;"),
            ("other/child.rs", "use super::super::end::E;"),
            ("b.rs", "#[path = \"beside.rs\"] mod c;"),
            ("beside.rs", "use crate::end::E;"),
            ("end.rs", "pub struct E;"),
        ],
        &[
            "beside.rs:1 end.rs crate::end::E",
            "other/child.rs:1 end.rs super::super::end::E",
            "other/name.rs:1 end.rs crate::end::E",
        ],
    );
}

#[test]
fn files_of_an_inline_module() {
    check(
        &[
            ("lib.rs", "mod a; mod end; mod inline { mod deep; }"),
            (
                "a.rs",
                "mod x { mod y; #[path = \"z_file.rs\"] mod z; } #[path = \"p\"] mod q { mod r; }",
            ),
            ("a/x/y.rs", "use crate::end::E;"),
            ("a/x/z_file.rs", "use crate::end::E;"),
            ("p/r.rs", "use crate::end::E;"),
            ("inline/deep.rs", "use crate::end::E;"),
            ("end.rs", "pub struct E;"),
        ],
        &[
            "a/x/y.rs:1 end.rs crate::end::E",
            "a/x/z_file.rs:1 end.rs crate::end::E",
            "inline/deep.rs:1 end.rs crate::end::E",
            "p/r.rs:1 end.rs crate::end::E",
        ],
    );
}

#[test]
fn a_missing_file_is_an_error() {
    let folder = folder(&[("lib.rs", "mod missing;")]);
    let error = load::load(&folder.path().join("lib.rs"), false).unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("no file for a module: "), "{message}");
    assert!(message.contains("missing.rs, "), "{message}");
    assert!(message.ends_with("missing/mod.rs"), "{message}");
}

#[test]
fn an_error_of_syntax_has_its_line() {
    let folder = folder(&[("lib.rs", "mod a;"), ("a.rs", "fn a() {}\nfn ?")]);
    let error = load::load(&folder.path().join("lib.rs"), false).unwrap_err();
    assert!(error.to_string().contains("a.rs:2: "), "{error}");
}

#[test]
fn lines_of_code_are_without_comments_and_tests() {
    let lib = "\
//! The crate.

/// A function.
#[inline]
fn f() {
    // A comment.
    let text = \"
        a
    \";

}

#[cfg(test)]
mod tests {
    fn g() {}
}
";
    assert_eq!(graph_of(&[("lib.rs", lib)]).lines, 6);
}
