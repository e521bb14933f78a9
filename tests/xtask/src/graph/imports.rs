//! The leaves of a `use` item.

use syn::UseTree;
use syn::ext::IdentExt as _;

use super::model::{Namespace, Path};

/// One path of a `use` item.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) path: Path,
    pub(super) kind: LeafKind,
    pub(super) namespaces: &'static [Namespace],
}

#[derive(Debug)]
pub(super) enum LeafKind {
    Glob,
    Name(String),
    /// `as _`
    Unnamed,
}

/// The leaves of a tree, in their order.
pub(super) fn leaves(tree: &UseTree, is_global: bool) -> Vec<Leaf> {
    let mut flat = Flat {
        is_global,
        prefix: Vec::new(),
        leaves: Vec::new(),
    };
    flat.add(tree);
    flat.leaves
}

struct Flat {
    is_global: bool,
    prefix: Vec<String>,
    leaves: Vec<Leaf>,
}

impl Flat {
    fn add(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                self.prefix.push(path.ident.unraw().to_string());
                self.add(&path.tree);
                self.prefix.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add(tree);
                }
            }
            UseTree::Name(name) => self.leaf(&name.ident, &name.ident),
            UseTree::Rename(rename) => self.leaf(&rename.ident, &rename.rename),
            UseTree::Glob(glob) => {
                let line = glob.star_token.spans[0].start().line;
                let path = self.path(None, line);
                self.push(path, LeafKind::Glob, &Namespace::ALL);
            }
        }
    }

    fn leaf(&mut self, last: &syn::Ident, name: &syn::Ident) {
        let line = last.span().start().line;
        let renamed = (last != name).then(|| name.unraw().to_string());
        // `a::{self}` imports the module `a`, under its own name.
        let is_self = last == "self" && !self.prefix.is_empty();
        let path = self.path((!is_self).then(|| last.unraw().to_string()), line);
        let kind = match renamed.or_else(|| path.segments.last().cloned()) {
            Some(name) if name != "_" => LeafKind::Name(name),
            _ => LeafKind::Unnamed,
        };
        let namespaces: &[Namespace] = if is_self {
            &[Namespace::Type]
        } else {
            &Namespace::ALL
        };
        self.push(path, kind, namespaces);
    }

    fn path(&self, last: Option<String>, line: usize) -> Path {
        let segments = self.prefix.iter().cloned().chain(last);
        Path {
            is_global: self.is_global,
            segments: segments.collect(),
            line,
        }
    }

    fn push(&mut self, path: Path, kind: LeafKind, namespaces: &'static [Namespace]) {
        self.leaves.push(Leaf {
            path,
            kind,
            namespaces,
        });
    }
}
