//! The values at the places of a JSON document where clients make them up.

use super::exclusions::Exclusions;
use ouli_codec::json::{Kind, Node};

/// Calls `take` with the strings and numbers at the places below a value.
pub(super) fn for_each_value(node: Node<'_>, places: &Exclusions<'_>, take: &mut dyn FnMut(&str)) {
    if !places.has_spots() {
        return;
    }
    match node.kind() {
        Kind::String(text) if places.is_minted() => take(&text),
        Kind::Number if places.is_minted() => take(node.text()),
        Kind::Array(elements) => {
            for (index, element) in elements.enumerate() {
                if let Some(places) = places.element(index) {
                    for_each_value(element, &places, take);
                }
            }
        }
        Kind::Object(members) => {
            for member in members {
                if let Some(places) = places.member(&member.name) {
                    for_each_value(member.value, &places, take);
                }
            }
        }
        Kind::String(_) | Kind::Number | Kind::Bool(_) | Kind::Null => {}
    }
}
