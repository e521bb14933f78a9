//! Reads a crate from its root file along its `mod` items.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use proc_macro2::TokenStream;

use super::cfg::is_test_only;
use super::collect::collect;
use super::lines;
use super::model::{FileId, SourceFile, Tree};
use super::places::{Declared, Place};

/// Reads the crate whose root file is `root`.
pub(super) fn load(root: &Path, tests: bool) -> anyhow::Result<Tree> {
    let mut tree = Tree::default();
    let module = tree.add_module(FileId(0), None, false);
    let mut waiting = VecDeque::from([Declared::root(module, root)]);
    while let Some(declared) = waiting.pop_front() {
        waiting.extend(read(&mut tree, &declared, tests)?);
    }
    Ok(tree)
}

/// Reads one file; returns the modules that it declares.
fn read(tree: &mut Tree, declared: &Declared, tests: bool) -> anyhow::Result<Vec<Declared>> {
    let path = declared.find()?;
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (tokens, syntax) = parse(&text).map_err(|error| {
        let line = error.span().start().line;
        anyhow!("{}:{line}: {error}", path.display())
    })?;
    if !tests && is_test_only(&syntax.attrs) {
        return Ok(Vec::new());
    }
    let file = FileId(tree.files.len());
    tree.files.push(SourceFile {
        path: path.to_owned(),
        lines: 0,
        called: HashSet::new(),
    });
    tree.module_mut(declared.module).file = file;
    let place = Place::of_file(path, declared.owns_folder);
    let collected = collect(tree, declared.module, place, tests, &syntax);
    let source = &mut tree.files[file.0];
    source.lines = lines::count(tokens, &collected.skipped);
    source.called = collected.called;
    Ok(collected.declared)
}

fn parse(text: &str) -> syn::Result<(TokenStream, syn::File)> {
    let tokens: TokenStream = text.parse()?;
    let syntax = syn::parse2(tokens.clone())?;
    Ok((tokens, syntax))
}
