//! Finds the values in a message that its client made up.

use super::body::{body_kind, for_each_text};
use super::minted::Minted;
use super::minted_rules::{MintedRules, Spots};
use super::part::KeyPart;
use super::path::{decoded, normalized};
use ouli_codec::MessageView;
use ouli_codec::identity::has_hole;
use ouli_codec::minted::{ValueSet, is_followed};

/// The values of a message by the rules among these parts of its key.
pub(super) fn minted_in<'a>(parts: &'a [KeyPart], message: &'a dyn MessageView) -> Minted<'a> {
    let rules = parts.iter().find_map(|part| match part {
        KeyPart::Minted(rules) => Some(rules),
        _ => None,
    });
    let Some(rules) = rules else {
        return Minted::default();
    };
    let mut minted = Minted {
        rules: Some(rules),
        spots: Spots::default(),
        known: message.minted_values(),
        own: ValueSet::default(),
    };
    let has_body = parts
        .iter()
        .any(|part| matches!(part, KeyPart::Body { .. }));
    let query = match message.kind() {
        "request" => message.query(),
        _ => &[],
    };
    minted.spots = rules.spots(query, body_kind(message, has_body));
    if message.kind() == "request" {
        collect_head(&mut minted, rules, message);
    }
    if has_body && !minted.spots.followed.is_empty() {
        for_each_text(message, &minted.spots, |text| {
            add(&mut minted.own, text);
        });
    }
    minted
}

fn collect_head(minted: &mut Minted<'_>, rules: &MintedRules, message: &dyn MessageView) {
    let path = normalized(message.path());
    for segment in rules.segments(&path).into_iter().flatten() {
        let segment = path.split('/').nth(segment).unwrap_or_default();
        add(&mut minted.own, &decoded(segment));
    }
    for (name, value) in message.query() {
        if minted.spots.has_query(name) {
            add(&mut minted.own, value);
        }
    }
    for name in rules.headers() {
        for value in message.fields().get_all(name) {
            add(&mut minted.own, value.to_str().unwrap_or_default());
        }
    }
}

fn add(own: &mut ValueSet, text: &str) {
    // A secret has an identity already.
    if is_followed(text) && !has_hole(text.as_bytes()) {
        own.insert(&text.into());
    }
}
