//! Tests on small synthetic crates.

mod circles;
mod files;
mod imports;
mod macros;
mod reexports;
mod scopes;
mod workspace;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::graph::crates::CrateGraph;
use crate::graph::edges::{self, Imports};
use crate::graph::load;
use crate::graph::model::{FileId, Tree};

/// Writes files into a new folder.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// Reads the crate whose root is `lib.rs`.
fn read(files: &[(&str, &str)], tests: bool) -> (TempDir, Tree, Imports) {
    let folder = folder(files);
    let tree = load::load(&folder.path().join("lib.rs"), tests).unwrap();
    let imports = edges::find(&tree);
    (folder, tree, imports)
}

fn name(folder: &Path, tree: &Tree, file: FileId) -> String {
    let path = &tree.files[file.0].path;
    path.strip_prefix(folder).unwrap().display().to_string()
}

/// The imports as `file:line target path`.
fn imports_of(files: &[(&str, &str)], tests: bool) -> Vec<String> {
    let (folder, tree, imports) = read(files, tests);
    let name = |file| name(folder.path(), &tree, file);
    let unresolved = imports.unresolved.iter();
    let unresolved = unresolved.map(|found| {
        format!(
            "{}:{} unresolved {}",
            name(found.file),
            found.line,
            found.path
        )
    });
    let edges = imports.edges.iter();
    let edges = edges.map(|edge| {
        format!(
            "{}:{} {} {}",
            name(edge.from),
            edge.line,
            name(edge.to),
            edge.path
        )
    });
    let mut found: Vec<String> = edges.chain(unresolved).collect();
    found.sort();
    found
}

/// Checks the imports between the files of a crate, without its tests.
#[track_caller]
fn check(files: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(imports_of(files, false), expected);
}

fn graph_of(files: &[(&str, &str)]) -> CrateGraph {
    let (folder, tree, imports) = read(files, false);
    let mut graph = CrateGraph::default();
    graph.add(folder.path(), &tree, &imports);
    graph
}

#[test]
fn this_workspace_passes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let report = crate::graph::check(&root, &crate::graph::Options::default()).unwrap();
    assert!(report.passed(), "{report}");
}
