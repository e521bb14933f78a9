//! Imports between the files of a crate.

use super::model::{FileId, ItemKind, Namespace, Reference, ReferenceKind, Tree};
use super::resolve::{Resolver, Target};

/// `from` uses an item that is defined in `to`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) from: FileId,
    pub(super) to: FileId,
    pub(super) line: usize,
    pub(super) path: String,
}

/// A path below `crate`, `self` or `super` that leads to no known item.
#[derive(Debug)]
pub(super) struct Unresolved {
    pub(super) file: FileId,
    pub(super) line: usize,
    pub(super) path: String,
}

#[derive(Debug, Default)]
pub(super) struct Imports {
    /// The first import of each pair of files, in order.
    pub(super) edges: Vec<Edge>,
    pub(super) unresolved: Vec<Unresolved>,
}

/// The imports between the files of a crate.
pub(super) fn find(tree: &Tree) -> Imports {
    let mut imports = Imports::default();
    let mut resolver = Resolver::new(tree);
    for reference in &tree.references {
        let from = tree.module(reference.module).file;
        let Some(files) = imported(tree, &mut resolver, reference) else {
            imports.unresolved.push(Unresolved {
                file: from,
                line: reference.path.line,
                path: reference.path.to_string(),
            });
            continue;
        };
        for to in files {
            if to != from {
                imports.edges.push(Edge {
                    from,
                    to,
                    line: reference.path.line,
                    path: written(reference),
                });
            }
        }
    }
    imports.edges.sort();
    imports.edges.dedup_by_key(|edge| (edge.from, edge.to));
    imports
}

fn written(reference: &Reference) -> String {
    let path = &reference.path;
    match reference.kind {
        ReferenceKind::Glob => format!("{path}::*"),
        ReferenceKind::Any | ReferenceKind::Path(_) | ReferenceKind::Attribute => path.to_string(),
    }
}

/// The files that define the target of the reference; `None` if that is unknown.
fn imported(
    tree: &Tree,
    resolver: &mut Resolver<'_>,
    reference: &Reference,
) -> Option<Vec<FileId>> {
    let Reference { module, path, kind } = reference;
    let namespaces = match kind {
        ReferenceKind::Path(namespace) => std::slice::from_ref(namespace),
        ReferenceKind::Glob => &[Namespace::Type],
        ReferenceKind::Any | ReferenceKind::Attribute => Namespace::ALL.as_slice(),
    };
    let targets = resolver.targets(*module, path, namespaces);
    if targets.is_empty() && path.is_relative_to_crate() {
        return None;
    }
    let mut files = Vec::new();
    for target in targets {
        match target {
            Target::Item(item) => files.push(tree.items[item.0].file),
            Target::Generated(module) => files.push(tree.module(module).file),
            Target::Module(source) => match kind {
                ReferenceKind::Attribute => files.push(tree.module(source).file),
                ReferenceKind::Glob => {
                    let traits = resolver.traits(source, *module).into_iter();
                    let used = traits
                        .map(|item| &tree.items[item.0])
                        .filter(|item| calls_method(tree, tree.module(*module).file, &item.kind));
                    files.extend(used.map(|item| item.file));
                }
                // The paths that go through the module count, not its name.
                ReferenceKind::Any | ReferenceKind::Path(_) => {}
            },
            Target::External => {}
        }
    }
    Some(files)
}

/// Whether `file` calls a method of a trait, which needs no path to it.
fn calls_method(tree: &Tree, file: FileId, kind: &ItemKind) -> bool {
    match kind {
        ItemKind::Trait { methods } => !methods.is_disjoint(&tree.files[file.0].called),
        ItemKind::Enum { .. } | ItemKind::Other => false,
    }
}
