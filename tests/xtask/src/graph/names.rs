//! Binds the names of items in their module.

use std::collections::HashSet;

use syn::ext::IdentExt as _;
use syn::{Attribute, Ident, Item, Visibility};

use super::imports::{Leaf, LeafKind};
use super::model::{Binding, FileId, Glob, ItemKind, ModuleId, Named, Namespace, ROOT, Tree};

/// The module that the code of a file is in.
#[derive(Debug)]
pub(super) struct Scope<'t> {
    pub(super) tree: &'t mut Tree,
    pub(super) file: FileId,
    pub(super) module: ModuleId,
}

impl Scope<'_> {
    /// Binds the name of an item that is neither a module nor an import.
    pub(super) fn bind_item(&mut self, item: &Item) {
        use Namespace::{Type, Value};
        match item {
            Item::Struct(item) => {
                let is_plain = matches!(item.fields, syn::Fields::Named(_));
                let namespaces: &[Namespace] = if is_plain { &[Type] } else { &[Type, Value] };
                self.define(&item.ident, &item.vis, namespaces, ItemKind::Other);
            }
            Item::Enum(item) => self.define(&item.ident, &item.vis, &[Type], enum_kind(item)),
            Item::Trait(item) => self.define(&item.ident, &item.vis, &[Type], trait_kind(item)),
            Item::Union(item) => self.define(&item.ident, &item.vis, &[Type], ItemKind::Other),
            Item::Type(item) => self.define(&item.ident, &item.vis, &[Type], ItemKind::Other),
            Item::TraitAlias(item) => self.define(&item.ident, &item.vis, &[Type], ItemKind::Other),
            Item::Fn(item) => self.define(&item.sig.ident, &item.vis, &[Value], ItemKind::Other),
            Item::Const(item) => self.define(&item.ident, &item.vis, &[Value], ItemKind::Other),
            Item::Static(item) => self.define(&item.ident, &item.vis, &[Value], ItemKind::Other),
            Item::ForeignMod(item) => self.bind_foreign_items(item),
            Item::Macro(item) => self.bind_macro(item),
            Item::ExternCrate(item) => self.bind_extern_crate(item),
            _ => {}
        }
    }

    /// Adds a child module.
    pub(super) fn bind_module(&mut self, item: &syn::ItemMod) -> ModuleId {
        let module = self.tree.add_module(self.file, Some(self.module), false);
        let visible_in = self.visible_in(&item.vis);
        self.bind(
            &item.ident,
            visible_in,
            &[Namespace::Type],
            Named::Module(module),
        );
        if has(&item.attrs, "macro_use") {
            self.tree.module_mut(self.module).macro_use.push(module);
        }
        module
    }

    /// Binds what one path of a `use` item brings.
    pub(super) fn bind_import(&mut self, leaf: Leaf, visibility: &Visibility) {
        let visible_in = self.visible_in(visibility);
        let Leaf {
            path,
            kind,
            namespaces,
        } = leaf;
        match kind {
            LeafKind::Glob => {
                let globs = &mut self.tree.module_mut(self.module).globs;
                globs.push(Glob { path, visible_in });
            }
            LeafKind::Name(name) => {
                let target = Named::Import(path);
                self.tree.bind(
                    self.module,
                    name,
                    Binding {
                        namespaces,
                        visible_in,
                        target,
                    },
                );
            }
            LeafKind::Unnamed => {}
        }
    }

    fn bind_foreign_items(&mut self, block: &syn::ItemForeignMod) {
        for item in &block.items {
            match item {
                syn::ForeignItem::Fn(item) => {
                    self.define(
                        &item.sig.ident,
                        &item.vis,
                        &[Namespace::Value],
                        ItemKind::Other,
                    );
                }
                syn::ForeignItem::Static(item) => {
                    self.define(&item.ident, &item.vis, &[Namespace::Value], ItemKind::Other);
                }
                syn::ForeignItem::Type(item) => {
                    self.define(&item.ident, &item.vis, &[Namespace::Type], ItemKind::Other);
                }
                _ => {}
            }
        }
    }

    fn bind_extern_crate(&mut self, item: &syn::ItemExternCrate) {
        let name = item.rename.as_ref().map_or(&item.ident, |(_, name)| name);
        let target = if item.ident == "self" {
            Named::Module(ROOT)
        } else {
            Named::External
        };
        let visible_in = self.visible_in(&item.vis);
        self.bind(name, visible_in, &[Namespace::Type], target);
    }

    /// `macro_rules!`, or the call of a macro that may expand to items.
    fn bind_macro(&mut self, item: &syn::ItemMacro) {
        let Some(name) = &item.ident else {
            self.tree.module_mut(self.module).has_generated_items = true;
            return;
        };
        let visible_in = self.visible_in(&Visibility::Inherited);
        let target = Named::Item(self.tree.add_item(self.file, ItemKind::Other));
        self.bind(name, visible_in, &[Namespace::Macro], target.clone());
        if has(&item.attrs, "macro_export") {
            let binding = Binding {
                namespaces: &[Namespace::Macro],
                visible_in: ROOT,
                target,
            };
            self.tree.bind(ROOT, name.unraw().to_string(), binding);
        }
    }

    fn define(
        &mut self,
        name: &Ident,
        visibility: &Visibility,
        namespaces: &'static [Namespace],
        kind: ItemKind,
    ) {
        let item = self.tree.add_item(self.file, kind);
        let visible_in = self.visible_in(visibility);
        self.bind(name, visible_in, namespaces, Named::Item(item));
    }

    fn bind(
        &mut self,
        name: &Ident,
        visible_in: ModuleId,
        namespaces: &'static [Namespace],
        target: Named,
    ) {
        let binding = Binding {
            namespaces,
            visible_in,
            target,
        };
        self.tree
            .bind(self.module, name.unraw().to_string(), binding);
    }

    fn visible_in(&self, visibility: &Visibility) -> ModuleId {
        let here = self.tree.named(self.module);
        match visibility {
            Visibility::Public(_) => ROOT,
            Visibility::Inherited => here,
            Visibility::Restricted(restricted) if restricted.path.is_ident("self") => here,
            Visibility::Restricted(restricted) if restricted.path.is_ident("super") => {
                self.tree.named_parent(here).unwrap_or(ROOT)
            }
            // `pub(in path)` counts as `pub(crate)`: rustc checks who may use the name.
            Visibility::Restricted(_) => ROOT,
        }
    }
}

/// Whether `visibility` makes a `use` an import for the module alone, and no re-export.
pub(super) fn is_private(visibility: &Visibility) -> bool {
    match visibility {
        Visibility::Inherited => true,
        Visibility::Public(_) => false,
        Visibility::Restricted(restricted) => restricted.path.is_ident("self"),
    }
}

fn enum_kind(item: &syn::ItemEnum) -> ItemKind {
    let names = item
        .variants
        .iter()
        .map(|variant| variant.ident.unraw().to_string());
    let variants: HashSet<String> = names.collect();
    ItemKind::Enum { variants }
}

fn trait_kind(item: &syn::ItemTrait) -> ItemKind {
    let names = item.items.iter().filter_map(|item| match item {
        syn::TraitItem::Fn(method) => Some(method.sig.ident.unraw().to_string()),
        _ => None,
    });
    let methods: HashSet<String> = names.collect();
    ItemKind::Trait { methods }
}

fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident(name))
}
