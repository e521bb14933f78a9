//! Items that only a test build compiles.

use proc_macro2::TokenStream;
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::{Attribute, ImplItem, Item, Meta, Token, TraitItem};

/// Whether only a test build compiles an item with these attributes: it is a `#[test]`, or has a
/// `#[cfg]` that is false wherever `test` is false.
pub(super) fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let Meta::List(list) = &attribute.meta else {
            return attribute.path().is_ident("test");
        };
        list.path.is_ident("cfg") && one_of(&list.tokens, |value| value == Some(false))
    })
}

/// The value of a predicate where `test` is false; `None` depends on the platform or on features.
fn evaluate(predicate: &Meta) -> Option<bool> {
    let list = match predicate {
        Meta::Path(path) if path.is_ident("test") => return Some(false),
        Meta::Path(_) | Meta::NameValue(_) => return None,
        Meta::List(list) => list,
    };
    let inner = operands(&list.tokens);
    let values = || inner.iter().map(evaluate);
    if list.path.is_ident("not") {
        return values().next().flatten().map(|value| !value);
    }
    // `any` is true by one true operand, `all` is false by one false operand.
    let decisive = list.path.is_ident("any");
    if values().any(|value| value == Some(decisive)) {
        Some(decisive)
    } else if values().all(|value| value == Some(!decisive)) {
        Some(!decisive)
    } else {
        None
    }
}

fn one_of(tokens: &TokenStream, wanted: impl Fn(Option<bool>) -> bool) -> bool {
    operands(tokens)
        .iter()
        .any(|operand| wanted(evaluate(operand)))
}

fn operands(tokens: &TokenStream) -> Punctuated<Meta, Token![,]> {
    // rustc has accepted the attribute; a form unknown here has no operands.
    Punctuated::parse_terminated
        .parse2(tokens.clone())
        .unwrap_or_default()
}

/// The attributes of an item.
pub(super) fn item_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The attributes of an item of an `impl`.
pub(super) fn impl_item_attributes(item: &ImplItem) -> &[Attribute] {
    match item {
        ImplItem::Const(item) => &item.attrs,
        ImplItem::Fn(item) => &item.attrs,
        ImplItem::Type(item) => &item.attrs,
        ImplItem::Macro(item) => &item.attrs,
        _ => &[],
    }
}

/// The attributes of an item of a trait.
pub(super) fn trait_item_attributes(item: &TraitItem) -> &[Attribute] {
    match item {
        TraitItem::Const(item) => &item.attrs,
        TraitItem::Fn(item) => &item.attrs,
        TraitItem::Type(item) => &item.attrs,
        TraitItem::Macro(item) => &item.attrs,
        _ => &[],
    }
}
