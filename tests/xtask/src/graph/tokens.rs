//! Paths in the arguments of macros and attributes, which are tokens without a grammar.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::{LitStr, UseTree};

use super::imports::leaves;
use super::model::{Namespace, Path, ReferenceKind};

/// Arguments whose text is a path, as in `#[serde(with = "path")]`.
const PATH_ARGUMENTS: [&str; 9] = [
    "with",
    "serialize_with",
    "deserialize_with",
    "skip_serializing_if",
    "default",
    "from",
    "into",
    "try_from",
    "remote",
];

/// An identifier after one of these words defines a name.
const DEFINING: [&str; 8] = [
    "fn", "struct", "enum", "union", "trait", "type", "mod", "const",
];

/// The paths in the arguments of a macro.
pub(super) fn paths(tokens: TokenStream) -> Vec<(Path, ReferenceKind)> {
    let mut scan = Scan { found: Vec::new() };
    scan.stream(tokens, false);
    scan.found
}

/// The paths in the arguments of `#[serde(..)]`, including those in text.
pub(super) fn serde_paths(tokens: TokenStream) -> Vec<(Path, ReferenceKind)> {
    let mut scan = Scan { found: Vec::new() };
    scan.stream(tokens, true);
    scan.found
}

struct Scan {
    found: Vec<(Path, ReferenceKind)>,
}

impl Scan {
    fn stream(&mut self, tokens: TokenStream, texts: bool) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(tree) = trees.get(at) {
            at = match tree {
                TokenTree::Group(group) => {
                    self.stream(group.stream(), texts);
                    at + 1
                }
                TokenTree::Ident(_) => self.path(&trees, at),
                TokenTree::Literal(_) if texts => {
                    self.text(&trees[..=at]);
                    at + 1
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => at + 1,
            };
        }
    }

    /// The path that begins at `start`; returns the index after it.
    fn path(&mut self, trees: &[TokenTree], start: usize) -> usize {
        let mut names = Vec::new();
        let mut at = start;
        while let Some(TokenTree::Ident(name)) = trees.get(at) {
            names.push(name);
            at += 1;
            if !is_separator(trees, at) {
                break;
            }
            at += 2;
        }
        let Some(first) = names.first().copied() else {
            return start + 1;
        };
        if !is_start(&trees[..start], first) {
            return at;
        }
        if let Some(TokenTree::Group(group)) = trees.get(at)
            && group.delimiter() == Delimiter::Brace
            && at
                .checked_sub(2)
                .is_some_and(|colons| is_separator(trees, colons))
        {
            self.group(&trees[start..=at]);
            return at + 1;
        }
        if let Some(kind) = kind(&names, &trees[at..]) {
            let path = Path {
                is_global: false,
                segments: names.iter().map(|name| name.unraw().to_string()).collect(),
                line: first.span().start().line,
            };
            self.found.push((path, kind));
        }
        at
    }

    /// `path::{..}` of a `use` item.
    fn group(&mut self, trees: &[TokenTree]) {
        let tokens = trees.iter().cloned().collect();
        if let Ok(tree) = syn::parse2::<UseTree>(tokens) {
            let leaves = leaves(&tree, false).into_iter();
            self.found
                .extend(leaves.map(|leaf| (leaf.path, ReferenceKind::Any)));
        }
    }

    /// `argument = "path"`
    fn text(&mut self, trees: &[TokenTree]) {
        let [
            ..,
            TokenTree::Ident(argument),
            TokenTree::Punct(equals),
            literal,
        ] = trees
        else {
            return;
        };
        if equals.as_char() != '=' || !PATH_ARGUMENTS.iter().any(|name| argument == name) {
            return;
        }
        let text = syn::parse2::<LitStr>(literal.clone().into());
        if let Ok(path) = text.and_then(|text| text.parse::<syn::Path>()) {
            let line = literal.span().start().line;
            self.found
                .push((written(&path, line), ReferenceKind::Attribute));
        }
    }
}

/// A path of the syntax tree.
pub(super) fn written(path: &syn::Path, line: usize) -> Path {
    let segments = path
        .segments
        .iter()
        .map(|segment| segment.ident.unraw().to_string());
    Path {
        is_global: path.leading_colon.is_some(),
        segments: segments.collect(),
        line,
    }
}

fn is_separator(trees: &[TokenTree], at: usize) -> bool {
    is_punct(trees.get(at), ':') && is_punct(trees.get(at + 1), ':')
}

fn is_punct(tree: Option<&TokenTree>, mark: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

/// Whether a path may begin with `name` after the tokens `before`.
fn is_start(before: &[TokenTree], name: &Ident) -> bool {
    let Some(last) = before.last() else {
        return true;
    };
    let second = before
        .len()
        .checked_sub(2)
        .and_then(|index| before.get(index));
    match last {
        TokenTree::Punct(punct) => match punct.as_char() {
            // A method or a field; a range has two.
            '.' => is_punct(second, '.'),
            // The rest of a path that begins with a type, or with an external crate.
            ':' => !is_punct(second, ':'),
            '\'' => false,
            '$' => name == "crate",
            _ => true,
        },
        TokenTree::Ident(word) => !DEFINING.iter().any(|defining| word == defining),
        TokenTree::Group(_) | TokenTree::Literal(_) => true,
    }
}

/// The kind of a path, from the tokens `after` it. `None` for a single name that is most likely a
/// variable or a field.
fn kind(names: &[&Ident], after: &[TokenTree]) -> Option<ReferenceKind> {
    let delimiter_at = |index| match after.get(index) {
        Some(TokenTree::Group(group)) => Some(group.delimiter()),
        _ => None,
    };
    let calls_macro = is_punct(after.first(), '!')
        && delimiter_at(1).is_some_and(|delimiter| delimiter != Delimiter::None);
    if calls_macro {
        return Some(ReferenceKind::Path(Namespace::Macro));
    }
    let [name] = names else {
        return Some(ReferenceKind::Any);
    };
    if is_constant(name) {
        Some(ReferenceKind::Any)
    } else if delimiter_at(0) == Some(Delimiter::Parenthesis) {
        Some(ReferenceKind::Path(Namespace::Value))
    } else {
        None
    }
}

/// By the rules for names, a type, a constant or a variant; no variable.
pub(super) fn is_constant(name: &Ident) -> bool {
    name.unraw().to_string().starts_with(char::is_uppercase)
}
