//! Identities as reports name them.

use ouli_codec::identity::Identity;
use ouli_codec::shape::{Shape, may_be_of_one_client};

/// Why one client made up no two values of this kind.
pub(super) fn shape_conflict(own: &Identity, recorded: &Identity) -> Option<String> {
    let (own_value, value) = (own.minted_value()?, recorded.minted_value()?);
    if own_value == value || may_be_of_one_client(own_value, value) {
        return None;
    }
    let (own_shape, shape) = (Shape::of(own_value), Shape::of(value));
    let (own, recorded) = (shown(own), shown(recorded));
    Some(format!(
        "{own} is {own_shape}, and this one has {shape}, {recorded}"
    ))
}

/// An identity without its secret.
pub(super) fn shown(identity: &Identity) -> String {
    match identity {
        Identity::Secret(_) => "a secret that is recorded in clear".to_owned(),
        Identity::Placeholder(class, number) => format!("<{class}-{number}>"),
        Identity::Minted(value) | Identity::Placed(_, value) => quoted(value),
    }
}

pub(super) fn quoted(value: &str) -> String {
    format!("\"{value}\"")
}

pub(super) fn kind(identity: &Identity) -> &'static str {
    match identity {
        Identity::Secret(_) | Identity::Placeholder(..) => "secret",
        Identity::Minted(_) | Identity::Placed(..) => "value",
    }
}
