//! Tries changes of the settings: the keys of two requests are derived with the changes in force.

use std::collections::HashMap;
use std::sync::Arc;

use super::change::{Change, IgnoreList};
use super::selection;
use crate::key::{IdentityUse, Key, KeyedMessage};
use ouli_codec::shape::may_be_of_one_client;
use ouli_message::Fields;

/// Most changes in one remedy. A longer list is no help to its reader.
const MAX_CHANGES: usize = 8;

/// For a larger body the changes are tried all at once only, which bounds the work on a miss.
const MAX_MINIMISED_BODY: usize = 256 << 10;

/// The smallest set of these changes under which the live request matches the recorded one, whose
/// response has these fields. None if no set works.
pub(super) fn smallest_set(
    live: &KeyedMessage,
    (recorded, response): (&KeyedMessage, &Fields),
    changes: Vec<Change>,
) -> Option<Vec<Change>> {
    if live.matcher.is_some() || recorded.matcher.is_some() {
        return None;
    }
    let matches = |changes: &[Change]| matches(live, (recorded, response), changes);
    let mut kept = shorten(deduplicate(changes));
    if !matches(&kept) {
        // The values do not stand for each other everywhere.
        kept = kept.into_iter().map(Change::or_ignore).collect();
    }
    if kept.is_empty() || kept.len() > MAX_CHANGES || !matches(&kept) {
        return None;
    }
    if kept.len() == 1 || live.view.body().len() > MAX_MINIMISED_BODY {
        return Some(kept);
    }
    let mut index = kept.len();
    while index > 0 {
        index -= 1;
        let mut fewer = kept.clone();
        fewer.remove(index);
        if matches(&fewer) {
            kept = fewer;
        }
    }
    (!kept.is_empty()).then_some(kept)
}

/// The message with the changes in force.
pub(super) fn changed(message: &KeyedMessage, changes: &[Change]) -> KeyedMessage {
    let mut parts = message.parts.clone();
    for change in changes {
        change.apply(&mut parts);
    }
    message.with_parts(parts)
}

/// True if the requests have equal keys with the changes in force, and the server would select the
/// recorded response.
fn matches(
    live: &KeyedMessage,
    (recorded, response): (&KeyedMessage, &Fields),
    changes: &[Change],
) -> bool {
    let (live, recorded) = (changed(live, changes), changed(recorded, changes));
    let (live_key, recorded_key) = (live.key(), recorded.key());
    live_key == recorded_key
        && has_one_renaming(&live_key, &recorded_key)
        && selection::mismatches(&live, (&recorded, response)).is_empty()
}

/// True if the values that the clients made up stand for each other one to one.
fn has_one_renaming(live: &Key, recorded: &Key) -> bool {
    let value = |used: &IdentityUse| used.identity.minted_value().cloned();
    let recorded: HashMap<u128, Option<Arc<str>>> = recorded
        .identities()
        .iter()
        .map(|used| (used.place, value(used)))
        .collect();
    let (mut names, mut values) = (HashMap::new(), HashMap::new());
    live.identities().iter().all(|used| {
        let Some((own, Some(other))) = value(used).zip(recorded.get(&used.place).cloned()) else {
            return true;
        };
        may_be_of_one_client(&own, &other)
            && *names.entry(own.clone()).or_insert(other.clone()) == other
            && *values.entry(other).or_insert(own.clone()) == own
    })
}

fn deduplicate(changes: Vec<Change>) -> Vec<Change> {
    let mut unique: Vec<Change> = Vec::with_capacity(changes.len());
    for change in changes {
        if !unique.contains(&change) {
            unique.push(change);
        }
    }
    unique
}

/// If there are too many changes, one pointer stands for all pointers below it.
fn shorten(changes: Vec<Change>) -> Vec<Change> {
    if changes.len() <= MAX_CHANGES {
        return changes;
    }
    let pointer = |change: &Change| match change {
        Change::Ignore {
            list: IgnoreList::Body,
            entry,
        } => Some(entry.clone()),
        Change::Ignore { .. }
        | Change::RemoveHeader(_)
        | Change::IgnoreHeader(_)
        | Change::Mint(_)
        | Change::IgnoreAuthority => None,
    };
    let pointers: Vec<_> = changes.iter().filter_map(pointer).collect();
    let Some(shared) = shared_pointer(&pointers) else {
        return changes;
    };
    let others = changes
        .into_iter()
        .filter(|change| pointer(change).is_none());
    let mut shorter: Vec<_> = others.collect();
    shorter.push(Change::ignore_body(shared));
    shorter
}

/// The pointer of the value that holds all values of these pointers.
fn shared_pointer(pointers: &[String]) -> Option<String> {
    let (first, rest) = pointers.split_first()?;
    let mut shared: Vec<&str> = first.split('/').collect();
    for pointer in rest {
        let steps = pointer.split('/');
        let equal = shared
            .iter()
            .zip(steps)
            .take_while(|(one, other)| *one == other);
        let count = equal.count();
        shared.truncate(count);
    }
    Some(shared.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(pointer: &str) -> Change {
        Change::ignore_body(pointer.to_owned())
    }

    #[test]
    fn many_pointers_become_the_one_that_they_share() {
        let few = vec![body("/a/0"), body("/a/1")];
        assert_eq!(shorten(few.clone()), few);
        let below = |parent: &str| -> Vec<Change> {
            (0..9)
                .map(|index| body(&format!("{parent}/x{index}")))
                .collect()
        };
        assert_eq!(shorten(below("/a/b")), [body("/a/b")]);
        assert_eq!(shorten(below("")), [body("")]);
        let mut mixed = below("/a");
        mixed.insert(0, Change::IgnoreAuthority);
        assert_eq!(shorten(mixed), [Change::IgnoreAuthority, body("/a")]);
    }
}
