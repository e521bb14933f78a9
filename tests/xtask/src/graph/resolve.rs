//! Resolves paths by the rules of the language, as far as one crate goes.

use std::collections::BTreeSet;

use super::model::{ItemId, ItemKind, ModuleId, Named, Namespace, Path, ROOT, Tree};

/// The meaning of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Module(ModuleId),
    /// An item, or a part of it.
    Item(ItemId),
    /// An item that a macro call of the module defines.
    Generated(ModuleId),
    /// An item of another crate.
    External,
}

/// A name in a module, and the module that looks for it.
type Lookup = (ModuleId, String, Namespace, ModuleId);

pub(super) struct Resolver<'t> {
    tree: &'t Tree,
    /// Whether a name that no item has is one that a macro call in the module defines.
    assume_generated: bool,
    /// Lookups in progress. Imports may name each other in a circle.
    busy: Vec<Lookup>,
}

impl<'t> Resolver<'t> {
    pub(super) fn new(tree: &'t Tree) -> Self {
        Self {
            tree,
            assume_generated: false,
            busy: Vec::new(),
        }
    }

    /// The meanings of a path in `module`, for each namespace. Empty if the path leads to nothing
    /// known.
    pub(super) fn targets(
        &mut self,
        module: ModuleId,
        path: &Path,
        namespaces: &[Namespace],
    ) -> Vec<Target> {
        let found = self.in_namespaces(module, path, namespaces);
        if !found.is_empty() {
            return found;
        }
        self.assume_generated = true;
        let found = self.in_namespaces(module, path, namespaces);
        self.assume_generated = false;
        found
    }

    fn in_namespaces(
        &mut self,
        module: ModuleId,
        path: &Path,
        namespaces: &[Namespace],
    ) -> Vec<Target> {
        let targets = namespaces
            .iter()
            .filter_map(|namespace| self.path(module, path, *namespace));
        targets.collect()
    }

    fn path(&mut self, from: ModuleId, path: &Path, namespace: Namespace) -> Option<Target> {
        if path.is_global {
            return Some(Target::External);
        }
        let (mut target, mut rest) = self.start(from, &path.segments, namespace)?;
        while let [name, after @ ..] = rest {
            let Target::Module(module) = target else {
                // A variant, an associated item, or another crate's.
                return Some(target);
            };
            let wanted = if after.is_empty() {
                namespace
            } else {
                Namespace::Type
            };
            target = match self.member(module, name, wanted, from) {
                Some(target) => target,
                None if self.may_be_generated(module) => return Some(Target::Generated(module)),
                None => return None,
            };
            rest = after;
        }
        Some(target)
    }

    fn may_be_generated(&self, module: ModuleId) -> bool {
        self.assume_generated && self.tree.module(module).has_generated_items
    }

    /// The meaning of the first segments, and the segments after them.
    fn start<'p>(
        &mut self,
        from: ModuleId,
        segments: &'p [String],
        namespace: Namespace,
    ) -> Option<(Target, &'p [String])> {
        let (first, mut rest) = segments.split_first()?;
        let mut module = match first.as_str() {
            "crate" => ROOT,
            "self" => self.tree.named(from),
            "super" => self.tree.named_parent(from)?,
            name => {
                let wanted = if rest.is_empty() {
                    namespace
                } else {
                    Namespace::Type
                };
                return Some((self.in_scope(from, name, wanted), rest));
            }
        };
        while let [next, after @ ..] = rest
            && next == "super"
        {
            module = self.tree.named_parent(module)?;
            rest = after;
        }
        Some((Target::Module(module), rest))
    }

    /// A name as code in `from` sees it. A name that no module defines belongs to another crate or
    /// to the language.
    fn in_scope(&mut self, from: ModuleId, name: &str, namespace: Namespace) -> Target {
        let tree = self.tree;
        let named = tree.named(from);
        for scope in tree.enclosing(from) {
            if let Some(target) = self.member(scope, name, namespace, from) {
                return target;
            }
            if scope == named {
                break;
            }
        }
        let is_macro = namespace == Namespace::Macro;
        let textual = is_macro.then(|| self.textual_macro(from, name)).flatten();
        textual.unwrap_or(Target::External)
    }

    /// A `macro_rules!` of a module around `from`, or of a `#[macro_use]` module in one of those.
    fn textual_macro(&mut self, from: ModuleId, name: &str) -> Option<Target> {
        let tree = self.tree;
        tree.enclosing(from).find_map(|scope| {
            let children = tree.module(scope).macro_use.iter().copied();
            let mut modules = std::iter::once(scope).chain(children);
            modules.find_map(|module| {
                match self.member(module, name, Namespace::Macro, module)? {
                    Target::Item(item) => Some(Target::Item(item)),
                    Target::Module(_) | Target::Generated(_) | Target::External => None,
                }
            })
        })
    }

    /// A name in `module`, as far as `viewer` sees it.
    fn member(
        &mut self,
        module: ModuleId,
        name: &str,
        namespace: Namespace,
        viewer: ModuleId,
    ) -> Option<Target> {
        let lookup = (module, name.to_owned(), namespace, viewer);
        if self.busy.contains(&lookup) {
            return None;
        }
        self.busy.push(lookup);
        let explicit = self.explicit(module, name, namespace, viewer);
        let found = explicit.or_else(|| self.through_globs(module, name, namespace, viewer));
        self.busy.pop();
        found
    }

    fn explicit(
        &mut self,
        module: ModuleId,
        name: &str,
        namespace: Namespace,
        viewer: ModuleId,
    ) -> Option<Target> {
        let tree = self.tree;
        let bindings = tree.module(module).bindings.get(name)?;
        let visible = || {
            bindings.iter().filter(|binding| {
                binding.namespaces.contains(&namespace)
                    && tree.is_within(viewer, binding.visible_in)
            })
        };
        // Definitions first: a module may re-export its own `macro_rules!` by `use name`.
        let defined = visible().find_map(|binding| match &binding.target {
            Named::Module(module) => Some(Target::Module(*module)),
            Named::Item(item) => Some(Target::Item(*item)),
            Named::External => Some(Target::External),
            Named::Import(_) => None,
        });
        defined.or_else(|| {
            visible().find_map(|binding| match &binding.target {
                Named::Import(path) => self.path(module, path, namespace),
                Named::Module(_) | Named::Item(_) | Named::External => None,
            })
        })
    }

    fn through_globs(
        &mut self,
        module: ModuleId,
        name: &str,
        namespace: Namespace,
        viewer: ModuleId,
    ) -> Option<Target> {
        let tree = self.tree;
        let globs = tree.module(module).globs.iter();
        let mut visible = globs.filter(|glob| tree.is_within(viewer, glob.visible_in));
        visible.find_map(
            |glob| match self.path(module, &glob.path, Namespace::Type)? {
                Target::Module(source) => self.member(source, name, namespace, module),
                Target::Item(item) => match &tree.items[item.0].kind {
                    ItemKind::Enum { variants } => {
                        variants.contains(name).then_some(Target::Item(item))
                    }
                    ItemKind::Trait { .. } | ItemKind::Other => None,
                },
                Target::Generated(_) | Target::External => None,
            },
        )
    }

    /// The traits that `use module::*` brings into `viewer`.
    pub(super) fn traits(&mut self, module: ModuleId, viewer: ModuleId) -> Vec<ItemId> {
        let mut names = BTreeSet::new();
        self.names(module, &mut Vec::new(), &mut names);
        let mut found = Vec::new();
        for name in names {
            if let Some(Target::Item(item)) = self.member(module, name, Namespace::Type, viewer)
                && matches!(self.tree.items[item.0].kind, ItemKind::Trait { .. })
            {
                found.push(item);
            }
        }
        found
    }

    fn names(&mut self, module: ModuleId, seen: &mut Vec<ModuleId>, names: &mut BTreeSet<&'t str>) {
        if seen.contains(&module) {
            return;
        }
        seen.push(module);
        let tree = self.tree;
        names.extend(tree.module(module).bindings.keys().map(String::as_str));
        for glob in &tree.module(module).globs {
            if let Some(Target::Module(source)) = self.path(module, &glob.path, Namespace::Type) {
                self.names(source, seen, names);
            }
        }
    }
}
