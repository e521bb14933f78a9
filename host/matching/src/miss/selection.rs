//! Headers for which the server may have selected another response than the recorded one, although
//! the keys of both requests are equal.

use super::change::{Change, IgnoreList};
use crate::key::{KeyPart, KeyedMessage, Variant};
use ouli_message::Fields;

/// The names of these headers.
pub(super) fn mismatches(
    live: &KeyedMessage,
    (recorded, response): (&KeyedMessage, &Fields),
) -> Vec<String> {
    let variant = Variant::of(&recorded.parts, recorded.view.fields(), response);
    let names = variant.mismatches(live.view.fields()).into_iter();
    names.map(str::to_owned).collect()
}

/// Both requests with these headers as parts, so that a comparison names them.
pub(super) fn with_headers(
    live: &KeyedMessage,
    recorded: &KeyedMessage,
    names: &[String],
) -> (KeyedMessage, KeyedMessage) {
    let with = |message: &KeyedMessage| {
        let mut parts = message.parts.clone();
        for name in names {
            let is_own = |part: &KeyPart| matches!(part, KeyPart::Header(own) if own == name);
            if !parts.iter().any(is_own) {
                // The body comes last in a report.
                let is_body = |part: &KeyPart| matches!(part, KeyPart::Body { .. });
                let place = parts.iter().position(is_body).unwrap_or(parts.len());
                parts.insert(place, KeyPart::Header(name.clone()));
            }
        }
        message.with_parts(parts)
    };
    (with(live), with(recorded))
}

/// A header that `headers` no longer names is still compared if `vary` names it, so it is ignored
/// too.
pub(super) fn with_ignored(changes: Vec<Change>, names: &[String]) -> Vec<Change> {
    let ignored = changes.iter().filter_map(|change| match change {
        Change::RemoveHeader(name) if names.contains(name) => Some(Change::Ignore {
            list: IgnoreList::Headers,
            entry: name.clone(),
        }),
        _ => None,
    });
    let ignored: Vec<_> = ignored.collect();
    changes.into_iter().chain(ignored).collect()
}
