//! The modules of one crate as the sources declare them, before any path is resolved.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FileId(pub(super) usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ModuleId(pub(super) usize);

/// The root module of the crate.
pub(super) const ROOT: ModuleId = ModuleId(0);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ItemId(pub(super) usize);

/// One name may stand for three things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Namespace {
    Type,
    Value,
    Macro,
}

impl Namespace {
    pub(super) const ALL: [Self; 3] = [Self::Type, Self::Value, Self::Macro];
}

/// A crate.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) files: Vec<SourceFile>,
    pub(super) modules: Vec<Module>,
    pub(super) items: Vec<Item>,
    pub(super) references: Vec<Reference>,
}

#[derive(Debug)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) lines: usize,
    /// The methods that the file calls.
    pub(super) called: HashSet<String>,
}

#[derive(Debug)]
pub(super) struct Module {
    pub(super) file: FileId,
    pub(super) parent: Option<ModuleId>,
    /// A block with items of its own, as in a function body: names are found in it and in the
    /// modules around it, but no path leads into it.
    pub(super) is_block: bool,
    pub(super) bindings: HashMap<String, Vec<Binding>>,
    pub(super) globs: Vec<Glob>,
    /// Child modules under `#[macro_use]`.
    pub(super) macro_use: Vec<ModuleId>,
    /// Macros are called here that may define items.
    pub(super) has_generated_items: bool,
}

/// A name in a module.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) namespaces: &'static [Namespace],
    /// The module in which, and below which, the name is visible.
    pub(super) visible_in: ModuleId,
    pub(super) target: Named,
}

#[derive(Clone, Debug)]
pub(super) enum Named {
    Module(ModuleId),
    Item(ItemId),
    /// A `use` of another name.
    Import(Path),
    /// An `extern crate`.
    External,
}

/// A `use path::*`.
#[derive(Clone, Debug)]
pub(super) struct Glob {
    pub(super) path: Path,
    pub(super) visible_in: ModuleId,
}

/// What an item defines in a file.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) file: FileId,
    pub(super) kind: ItemKind,
}

#[derive(Debug)]
pub(super) enum ItemKind {
    Enum { variants: HashSet<String> },
    Trait { methods: HashSet<String> },
    Other,
}

/// A path as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// Begins with `::`, that is, with an external crate.
    pub(super) is_global: bool,
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
}

/// A place in the code that refers to a path.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) module: ModuleId,
    pub(super) path: Path,
    pub(super) kind: ReferenceKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReferenceKind {
    /// A private `use`, or a path in tokens: every namespace.
    Any,
    /// A private `use path::*`.
    Glob,
    /// A path in the code.
    Path(Namespace),
    /// A path in the text of an attribute; a module there means its functions.
    Attribute,
}

impl Tree {
    pub(super) fn module(&self, id: ModuleId) -> &Module {
        &self.modules[id.0]
    }

    pub(super) fn module_mut(&mut self, id: ModuleId) -> &mut Module {
        &mut self.modules[id.0]
    }

    pub(super) fn add_module(
        &mut self,
        file: FileId,
        parent: Option<ModuleId>,
        is_block: bool,
    ) -> ModuleId {
        self.modules.push(Module {
            file,
            parent,
            is_block,
            bindings: HashMap::new(),
            globs: Vec::new(),
            macro_use: Vec::new(),
            has_generated_items: false,
        });
        ModuleId(self.modules.len() - 1)
    }

    pub(super) fn add_item(&mut self, file: FileId, kind: ItemKind) -> ItemId {
        self.items.push(Item { file, kind });
        ItemId(self.items.len() - 1)
    }

    pub(super) fn bind(&mut self, module: ModuleId, name: String, binding: Binding) {
        let bindings = &mut self.module_mut(module).bindings;
        bindings.entry(name).or_default().push(binding);
    }

    /// The module itself and those around it, from the inside.
    pub(super) fn enclosing(&self, module: ModuleId) -> impl Iterator<Item = ModuleId> {
        std::iter::successors(Some(module), |id| self.module(*id).parent)
    }

    /// The nearest named module, which `self` refers to.
    pub(super) fn named(&self, module: ModuleId) -> ModuleId {
        let mut enclosing = self.enclosing(module);
        enclosing
            .find(|id| !self.module(*id).is_block)
            .unwrap_or(ROOT)
    }

    /// The module that `super` refers to.
    pub(super) fn named_parent(&self, module: ModuleId) -> Option<ModuleId> {
        let parent = self.module(self.named(module)).parent?;
        Some(self.named(parent))
    }

    pub(super) fn is_within(&self, inner: ModuleId, outer: ModuleId) -> bool {
        self.enclosing(inner).any(|id| id == outer)
    }
}

impl Path {
    /// The path names the root, the module or a module around it.
    pub(super) fn is_relative_to_crate(&self) -> bool {
        let first = self.segments.first().map(String::as_str);
        !self.is_global && matches!(first, Some("crate" | "self" | "super"))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = if self.is_global { "::" } else { "" };
        write!(formatter, "{start}{}", self.segments.join("::"))
    }
}
