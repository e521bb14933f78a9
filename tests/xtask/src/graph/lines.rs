//! Lines of code: lines with a token that is no documentation.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};

/// Counts the lines of code outside the `skipped` ranges.
pub(super) fn count(tokens: TokenStream, skipped: &[RangeInclusive<usize>]) -> usize {
    let mut lines = BTreeSet::new();
    add(tokens, &mut lines);
    let counted = lines
        .iter()
        .filter(|line| !skipped.iter().any(|range| range.contains(line)));
    counted.count()
}

fn add(tokens: TokenStream, lines: &mut BTreeSet<usize>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut rest = trees.as_slice();
    while let [tree, after @ ..] = rest {
        rest = after_documentation(rest).unwrap_or(after);
        if rest.len() < after.len() {
            continue;
        }
        match tree {
            TokenTree::Group(group) => {
                lines.extend(covered(group.span_open()));
                lines.extend(covered(group.span_close()));
                add(group.stream(), lines);
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {
                lines.extend(covered(tree.span()));
            }
        }
    }
}

/// A doc comment is the attribute `#[doc = ".."]`, or `#![doc = ".."]`, in tokens.
fn after_documentation(trees: &[TokenTree]) -> Option<&[TokenTree]> {
    let [TokenTree::Punct(hash), rest @ ..] = trees else {
        return None;
    };
    let rest = match rest {
        [TokenTree::Punct(mark), rest @ ..] if mark.as_char() == '!' => rest,
        _ => rest,
    };
    let [TokenTree::Group(group), rest @ ..] = rest else {
        return None;
    };
    let first = group.stream().into_iter().next();
    let is_doc = matches!(first, Some(TokenTree::Ident(name)) if name == "doc");
    (hash.as_char() == '#' && group.delimiter() == Delimiter::Bracket && is_doc).then_some(rest)
}

/// The lines of a span.
pub(super) fn covered(span: Span) -> RangeInclusive<usize> {
    span.start().line..=span.end().line
}
