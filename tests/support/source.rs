//! Rust source as tokens: the functions of a file with their lengths and strings.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A function or constant of a file.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) is_test: bool,
    pub(crate) is_function: bool,
    /// The first line and the number of lines, without the attributes.
    pub(crate) line: usize,
    pub(crate) lines: usize,
    /// The values of its string literals.
    pub(crate) strings: Vec<String>,
    /// The identifiers in its body.
    pub(crate) identifiers: BTreeSet<String>,
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below folders of the repository, with their texts.
pub(crate) fn rust_files(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut waiting: Vec<_> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = waiting.pop() {
        let Ok(entries) = folder.read_dir() else {
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "no source in {folders:?}");
    found.sort();
    found
}

/// The functions and constants of a file, including nested ones.
pub(crate) fn definitions(text: &str) -> Vec<Definition> {
    let tokens: TokenStream = text.parse().expect("a file of Rust");
    let mut found = Vec::new();
    collect(tokens, &mut found);
    found
}

fn collect(tokens: TokenStream, found: &mut Vec<Definition>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            collect(group.stream(), found);
        }
        found.extend(definition(&tokens, at));
    }
}

/// The definition whose keyword is at this index.
fn definition(tokens: &[TokenTree], at: usize) -> Option<Definition> {
    let (TokenTree::Ident(keyword), TokenTree::Ident(name)) = (&tokens[at], tokens.get(at + 1)?)
    else {
        return None;
    };
    let is_function = keyword == "fn";
    if !is_function && keyword != "const" && keyword != "static" {
        return None;
    }
    let rest = &tokens[at + 2..];
    let is_end = |token: &TokenTree| match token {
        TokenTree::Group(group) => is_function && group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    };
    let end = rest.iter().position(is_end)?;
    // A function of a trait may have no body.
    if is_function && matches!(rest[end], TokenTree::Punct(_)) {
        return None;
    }
    let line = keyword.span().start().line;
    let mut definition = Definition {
        name: name.to_string(),
        is_test: is_function && has_test_attribute(&tokens[..at]),
        is_function,
        line,
        lines: rest[end].span().end().line - line + 1,
        strings: Vec::new(),
        identifiers: BTreeSet::new(),
    };
    definition.read(rest[..=end].iter().cloned().collect());
    Some(definition)
}

impl Definition {
    fn read(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.read(group.stream()),
                TokenTree::Ident(identifier) => {
                    self.identifiers.insert(identifier.to_string());
                }
                TokenTree::Literal(literal) => self.strings.extend(string(&literal.to_string())),
                TokenTree::Punct(_) => {}
            }
        }
    }
}

/// True if the attributes before an item include `#[test]`.
fn has_test_attribute(before: &[TokenTree]) -> bool {
    let item = before.iter().rposition(|token| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';' && punct.spacing() == Spacing::Alone,
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    });
    let own = &before[item.map_or(0, |item| item + 1)..];
    own.iter().any(|token| match token {
        TokenTree::Group(group) => group.stream().to_string() == "test",
        _ => false,
    })
}

/// The value of a literal if it is a string.
fn string(literal: &str) -> Option<String> {
    if let Some(raw) = literal.strip_prefix('r') {
        let raw = raw.trim_matches('#');
        return Some(raw.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    }
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    let (mut value, mut rest) = (String::new(), inner.chars());
    while let Some(char) = rest.next() {
        if char != '\\' {
            value.push(char);
            continue;
        }
        match rest.next()? {
            'n' => value.push('\n'),
            // A backslash at the end of a line skips the leading blanks of the next line.
            '\n' => rest = rest.as_str().trim_start().chars(),
            other => value.push(other),
        }
    }
    Some(value)
}

#[test]
fn definitions_are_found_with_their_strings() {
    let text = "const A: &str = \"a\\n\\\n    b\";\n#[test]\nfn one() {\n    let c = '\"';\n    \
                two(\"x\", r#\"y\"#, format!(\"{c} z\"));\n}\nimpl X {\n    fn two() { A }\n}\n";
    let found = definitions(text);
    let brief: Vec<_> = found
        .iter()
        .map(|it| (it.name.as_str(), it.is_test, it.line, it.lines))
        .collect();
    let expected = [
        ("A", false, 1, 2),
        ("one", true, 4, 4),
        ("two", false, 9, 1),
    ];
    assert_eq!(brief, expected);
    assert_eq!(found[0].strings, ["a\nb"]);
    assert_eq!(found[1].strings, ["x", "y", "{c} z"]);
    assert!(found[2].identifiers.contains("A"));
}
