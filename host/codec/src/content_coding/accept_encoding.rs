//! The `accept-encoding` header (RFC 9110, section 12.5.3).

use super::coding::Coding;

/// True if a client that sent this `accept-encoding` accepts the coding.
pub fn accepts(accept_encoding: Option<&str>, coding: Coding) -> bool {
    let Some(value) = accept_encoding else {
        return true;
    };
    let mut wildcard = false;
    for (name, weight) in weighted(value) {
        if Coding::of(name) == Some(coding) {
            return weight > 0.0;
        }
        wildcard |= name == "*" && weight > 0.0;
    }
    wildcard
}

/// True if a client that sent this `accept-encoding` accepts a body without a coding.
pub fn accepts_identity(accept_encoding: &str) -> bool {
    let (mut named, mut wildcard) = (None, None);
    for (name, weight) in weighted(accept_encoding) {
        if name.eq_ignore_ascii_case("identity") {
            named = named.or(Some(weight > 0.0));
        } else if name == "*" {
            wildcard = wildcard.or(Some(weight > 0.0));
        }
    }
    named.or(wildcard).unwrap_or(true)
}

/// Restricts the `accept-encoding` of a client to codings that can be decoded, for the upstream.
/// Order and weights are kept. A `*` is expanded.
pub fn restrict(accept_encoding: &str) -> String {
    let mut allowed = Vec::new();
    for item in accept_encoding.split(',').map(str::trim) {
        let name = item.split(';').next().unwrap_or_default().trim();
        if Coding::of(name).is_some() || name.eq_ignore_ascii_case("identity") {
            allowed.push(item.to_owned());
        } else if name == "*" {
            let weight = item.get(1..).unwrap_or_default();
            let unnamed = Coding::ALL
                .into_iter()
                .filter(|coding| !is_named(accept_encoding, *coding));
            allowed.extend(unnamed.map(|coding| format!("{}{weight}", coding.name())));
        }
    }
    if allowed.is_empty() {
        return "identity".to_owned();
    }
    allowed.join(", ")
}

fn is_named(accept_encoding: &str, coding: Coding) -> bool {
    weighted(accept_encoding).any(|(name, _)| Coding::of(name) == Some(coding))
}

/// The items of a list with their weights. An invalid weight counts as 1.
fn weighted(value: &str) -> impl Iterator<Item = (&str, f32)> {
    value.split(',').map(|item| {
        let mut parameters = item.split(';').map(str::trim);
        let name = parameters.next().unwrap_or_default();
        let weight = parameters.find_map(|parameter| {
            let (key, weight) = parameter.split_once('=')?;
            let is_weight = key.trim().eq_ignore_ascii_case("q");
            is_weight.then(|| weight.trim().parse().ok()).flatten()
        });
        (name, weight.unwrap_or(1.0))
    })
}
