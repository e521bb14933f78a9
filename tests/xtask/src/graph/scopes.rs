//! Names that a function, or the generics of an item, put before the names of the module.

use std::collections::HashSet;

use syn::ext::IdentExt as _;
use syn::visit::{self, Visit};
use syn::{Block, GenericParam, Generics, ImplItem, Item, PatIdent, Signature, TraitItem};

use super::model::{Namespace, Path};
use super::tokens::is_constant;

/// Local names.
#[derive(Debug, Default)]
pub(super) struct Locals {
    types: HashSet<String>,
    values: HashSet<String>,
}

impl Locals {
    /// Whether `path` begins with one of these names.
    pub(super) fn hide(&self, path: &Path, namespace: Option<Namespace>) -> bool {
        let [first, rest @ ..] = path.segments.as_slice() else {
            return false;
        };
        let is_value = rest.is_empty() && namespace != Some(Namespace::Type);
        namespace != Some(Namespace::Macro)
            && (self.types.contains(first) || is_value && self.values.contains(first))
    }

    /// The names that an item adds for its own code.
    pub(super) fn of_item(item: &Item) -> Self {
        match item {
            Item::Fn(item) => Self::of_function(&item.sig, Some(&item.block)),
            Item::Struct(item) => Self::of_generics(&item.generics),
            Item::Enum(item) => Self::of_generics(&item.generics),
            Item::Union(item) => Self::of_generics(&item.generics),
            Item::Trait(item) => Self::of_generics(&item.generics),
            Item::Type(item) => Self::of_generics(&item.generics),
            Item::Impl(item) => Self::of_generics(&item.generics),
            Item::Const(item) => {
                let mut locals = Self::of_generics(&item.generics);
                locals.bindings().visit_expr(&item.expr);
                locals
            }
            Item::Static(item) => {
                let mut locals = Self::default();
                locals.bindings().visit_expr(&item.expr);
                locals
            }
            _ => Self::default(),
        }
    }

    pub(super) fn of_impl_item(item: &ImplItem) -> Self {
        match item {
            ImplItem::Fn(item) => Self::of_function(&item.sig, Some(&item.block)),
            ImplItem::Type(item) => Self::of_generics(&item.generics),
            _ => Self::default(),
        }
    }

    pub(super) fn of_trait_item(item: &TraitItem) -> Self {
        match item {
            TraitItem::Fn(item) => Self::of_function(&item.sig, item.default.as_ref()),
            TraitItem::Type(item) => Self::of_generics(&item.generics),
            _ => Self::default(),
        }
    }

    /// Every variable counts for the whole function, to keep this simple: a function that has the
    /// name of a variable and is called beside it needs a `use` by its name, which is found anyway.
    fn of_function(signature: &Signature, block: Option<&Block>) -> Self {
        let mut locals = Self::of_generics(&signature.generics);
        locals.bindings().visit_signature(signature);
        if let Some(block) = block {
            locals.bindings().visit_block(block);
        }
        locals
    }

    fn of_generics(generics: &Generics) -> Self {
        let mut locals = Self::default();
        for parameter in &generics.params {
            match parameter {
                GenericParam::Type(parameter) => {
                    locals.types.insert(parameter.ident.unraw().to_string());
                }
                GenericParam::Const(parameter) => {
                    locals.values.insert(parameter.ident.unraw().to_string());
                }
                GenericParam::Lifetime(_) => {}
            }
        }
        locals
    }

    fn bindings(&mut self) -> Bindings<'_> {
        Bindings {
            values: &mut self.values,
        }
    }
}

/// Collects the variables of patterns.
struct Bindings<'a> {
    values: &'a mut HashSet<String>,
}

impl<'ast> Visit<'ast> for Bindings<'_> {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        if !is_constant(&pattern.ident) {
            self.values.insert(pattern.ident.unraw().to_string());
        }
        visit::visit_pat_ident(self, pattern);
    }
}
