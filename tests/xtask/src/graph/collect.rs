//! Collects the names that one file binds and the paths that it refers to.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, Block, ImplItem, Item, Meta, QSelf, Stmt, TraitItem};

use super::cfg::{impl_item_attributes, is_test_only, item_attributes, trait_item_attributes};
use super::imports::{LeafKind, leaves};
use super::lines::covered;
use super::model::{ModuleId, Namespace, Path, Reference, ReferenceKind, Tree};
use super::names::{Scope, is_private};
use super::places::{Declared, Place};
use super::scopes::Locals;
use super::tokens;

/// What a file adds beside its modules, items and references.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// Modules in files of their own.
    pub(super) declared: Vec<Declared>,
    /// The lines of items that only a test build compiles.
    pub(super) skipped: Vec<RangeInclusive<usize>>,
    /// The methods that are called.
    pub(super) called: HashSet<String>,
}

/// Adds the code of the file of `module` to the tree.
pub(super) fn collect(
    tree: &mut Tree,
    module: ModuleId,
    place: Place,
    tests: bool,
    syntax: &syn::File,
) -> Collected {
    let file = tree.module(module).file;
    let mut collector = Collector {
        scope: Scope { tree, file, module },
        place,
        tests,
        locals: Vec::new(),
        collected: Collected::default(),
    };
    collector.visit_file(syntax);
    collector.collected
}

struct Collector<'t> {
    scope: Scope<'t>,
    place: Place,
    /// Whether items under `#[cfg(test)]` count.
    tests: bool,
    /// Local names of the items around the current place, from the outside.
    locals: Vec<Locals>,
    collected: Collected,
}

impl Collector<'_> {
    fn skips(&mut self, attributes: &[Attribute], span: impl FnOnce() -> Span) -> bool {
        let skips = !self.tests && is_test_only(attributes);
        if skips {
            self.collected.skipped.push(covered(span()));
        }
        skips
    }

    fn refer(&mut self, path: Path, kind: ReferenceKind) {
        let namespace = match kind {
            ReferenceKind::Path(namespace) => Some(namespace),
            ReferenceKind::Any | ReferenceKind::Glob | ReferenceKind::Attribute => None,
        };
        if self
            .locals
            .iter()
            .any(|locals| locals.hide(&path, namespace))
        {
            return;
        }
        self.scope.tree.references.push(Reference {
            module: self.scope.module,
            path,
            kind,
        });
    }

    fn refer_to(&mut self, path: &syn::Path, namespace: Namespace) {
        let written = tokens::written(path, path.span().start().line);
        self.refer(written, ReferenceKind::Path(namespace));
        visit::visit_path(self, path);
    }

    /// `path`, or `<Type as path>::name`.
    fn refer_to_qualified(
        &mut self,
        qualified: Option<&QSelf>,
        path: &syn::Path,
        namespace: Namespace,
    ) {
        let Some(qualified) = qualified else {
            return self.refer_to(path, namespace);
        };
        let mut of_trait = tokens::written(path, path.span().start().line);
        of_trait.segments.truncate(qualified.position);
        if !of_trait.segments.is_empty() {
            self.refer(of_trait, ReferenceKind::Path(Namespace::Type));
        }
        self.visit_type(&qualified.ty);
        visit::visit_path(self, path);
    }

    fn refer_in_tokens(&mut self, found: Vec<(Path, ReferenceKind)>) {
        for (path, kind) in found {
            self.refer(path, kind);
        }
    }

    fn module_item(&mut self, item: &syn::ItemMod) {
        for attribute in &item.attrs {
            self.visit_attribute(attribute);
        }
        let module = self.scope.bind_module(item);
        let Some((_, items)) = &item.content else {
            let declared = self.place.declare(item, module);
            self.collected.declared.push(declared);
            return;
        };
        let inner = self.place.of_inline(item);
        let outer = std::mem::replace(&mut self.place, inner);
        self.inside(module, |this| {
            for item in items {
                this.visit_item(item);
            }
        });
        self.place = outer;
    }

    fn use_item(&mut self, item: &syn::ItemUse) {
        // A re-export alone is no import.
        let is_import = is_private(&item.vis);
        for leaf in leaves(&item.tree, item.leading_colon.is_some()) {
            if is_import {
                let kind = match leaf.kind {
                    LeafKind::Glob => ReferenceKind::Glob,
                    LeafKind::Name(_) | LeafKind::Unnamed => ReferenceKind::Any,
                };
                self.refer(leaf.path.clone(), kind);
            }
            self.scope.bind_import(leaf, &item.vis);
        }
    }

    fn inside(&mut self, module: ModuleId, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.scope.module, module);
        visit(self);
        self.scope.module = outer;
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if self.skips(item_attributes(item), || item.span()) {
            return;
        }
        match item {
            Item::Mod(item) => return self.module_item(item),
            Item::Use(item) => return self.use_item(item),
            _ => self.scope.bind_item(item),
        }
        // The code of an item inside a function does not see the variables of the function.
        let outer = std::mem::replace(&mut self.locals, vec![Locals::of_item(item)]);
        visit::visit_item(self, item);
        self.locals = outer;
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !self.skips(impl_item_attributes(item), || item.span()) {
            self.locals.push(Locals::of_impl_item(item));
            visit::visit_impl_item(self, item);
            self.locals.pop();
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        if !self.skips(trait_item_attributes(item), || item.span()) {
            self.locals.push(Locals::of_trait_item(item));
            visit::visit_trait_item(self, item);
            self.locals.pop();
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        let has_items = block
            .stmts
            .iter()
            .any(|statement| matches!(statement, Stmt::Item(_)));
        if has_items {
            let Scope { file, module, .. } = self.scope;
            let module = self.scope.tree.add_module(file, Some(module), true);
            self.inside(module, |this| visit::visit_block(this, block));
        } else {
            visit::visit_block(self, block);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !self.skips(&local.attrs, || local.span()) {
            visit::visit_local(self, local);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !self.skips(&field.attrs, || field.span()) {
            visit::visit_field(self, field);
        }
    }

    fn visit_field_value(&mut self, field: &'ast syn::FieldValue) {
        if !self.skips(&field.attrs, || field.span()) {
            visit::visit_field_value(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        if !self.skips(&variant.attrs, || variant.span()) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if !self.skips(&arm.attrs, || arm.span()) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.refer_to(path, Namespace::Type);
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        self.refer_to_qualified(path.qself.as_ref(), &path.path, Namespace::Value);
    }

    fn visit_type_path(&mut self, path: &'ast syn::TypePath) {
        self.refer_to_qualified(path.qself.as_ref(), &path.path, Namespace::Type);
    }

    fn visit_pat_tuple_struct(&mut self, pattern: &'ast syn::PatTupleStruct) {
        self.refer_to(&pattern.path, Namespace::Value);
        for element in &pattern.elems {
            self.visit_pat(element);
        }
    }

    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        // A constant or a variant without fields looks like a variable.
        if tokens::is_constant(&pattern.ident) {
            let path = syn::Path::from(pattern.ident.clone());
            self.refer_to(&path, Namespace::Value);
        }
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.collected
            .called
            .insert(call.method.unraw().to_string());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.refer_to(&call.path, Namespace::Macro);
        self.refer_in_tokens(tokens::paths(call.tokens.clone()));
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            let tokens = list.tokens.clone();
            self.refer_in_tokens(if list.path.is_ident("serde") {
                tokens::serde_paths(tokens)
            } else {
                tokens::paths(tokens)
            });
        }
        if attribute.path().segments.len() > 1 {
            self.refer_to(attribute.path(), Namespace::Macro);
        }
    }
}
