//! What a client takes (RFC 9110, section 12.5.3) and what to ask of an upstream for it.

use super::coding::Coding;

/// True where a client that sent this `accept-encoding` takes the coding (RFC 9110, section
/// 12.5.3).
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

/// What to ask of an upstream in place of a client's `accept-encoding`: of the codings that the
/// client takes those that can be decoded, in its order and with its weights. A `*` becomes the
/// codings that it stands for.
pub fn restrict(accept_encoding: &str) -> String {
    let mut kept = Vec::new();
    for item in accept_encoding.split(',').map(str::trim) {
        let name = item.split(';').next().unwrap_or_default().trim();
        if Coding::of(name).is_some() || name.eq_ignore_ascii_case("identity") {
            kept.push(item.to_owned());
        } else if name == "*" {
            let weight = item.get(1..).unwrap_or_default();
            let unnamed = Coding::ALL
                .into_iter()
                .filter(|coding| !is_named(accept_encoding, *coding));
            kept.extend(unnamed.map(|coding| format!("{}{weight}", coding.name())));
        }
    }
    if kept.is_empty() {
        return "identity".to_owned();
    }
    kept.join(", ")
}

fn is_named(accept_encoding: &str, coding: Coding) -> bool {
    weighted(accept_encoding).any(|(name, _)| Coding::of(name) == Some(coding))
}

/// The items of a list with their weights; a weight that cannot be read is 1.
fn weighted(value: &str) -> impl Iterator<Item = (&str, f32)> {
    value.split(',').map(|item| {
        let mut pieces = item.split(';').map(str::trim);
        let name = pieces.next().unwrap_or_default();
        let weight = pieces.find_map(|piece| {
            let (key, weight) = piece.split_once('=')?;
            let found = key.trim().eq_ignore_ascii_case("q");
            found.then(|| weight.trim().parse().ok()).flatten()
        });
        (name, weight.unwrap_or(1.0))
    })
}
