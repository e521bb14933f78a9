//! Which exchanges of a session were replayed or recorded, without the exchanges themselves.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use super::entry::Entry;
use super::uses::Uses;
use ouli_message::{Content, Fields};

/// The marks of the exchanges by their numbers in the cassette. An exchange that was neither
/// replayed nor recorded has none.
#[derive(Clone, Debug, Default)]
pub(super) struct ReplayMarks {
    by_ordinal: HashMap<u64, Mark>,
    /// The current run recorded the exchanges from this number on.
    own_from: Option<u64>,
}

/// What this process did with an exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// The hash of the request: another exchange may have the number in a changed cassette.
    request: u64,
    /// The current run recorded it, so it is replayed to later runs only.
    pub(super) is_own: bool,
    /// It was replayed in the current run.
    pub(super) is_used: bool,
}

impl ReplayMarks {
    /// The marks of these exchanges: those that can be replayed, and those that the run recorded,
    /// with those that are in the cassette alone from `own_from` on.
    pub(super) fn of(
        replayable: &[Arc<Entry>],
        recorded: &[Arc<Entry>],
        (own_from, uses): (Option<u64>, &Uses),
    ) -> Self {
        let own = recorded.iter().map(|entry| (entry, true));
        let marked = replayable.iter().map(|entry| (entry, false)).chain(own);
        let marked = marked.filter(|(entry, is_own)| *is_own || entry.is_used_in_any_run());
        let by_ordinal = marked.map(|(entry, is_own)| {
            let mark = Mark {
                request: request_hash(entry),
                is_own,
                is_used: !is_own && uses.is_used(entry),
            };
            (entry.ordinal, mark)
        });
        Self {
            by_ordinal: by_ordinal.collect(),
            own_from,
        }
    }

    /// The mark of an exchange, if it has the same request as before.
    pub(super) fn get(&self, entry: &Entry) -> Option<Mark> {
        let request = request_hash(entry);
        if self.own_from.is_some_and(|from| from <= entry.ordinal) {
            return Some(Mark {
                request,
                is_own: true,
                is_used: false,
            });
        }
        let mark = self.by_ordinal.get(&entry.ordinal)?;
        (mark.request == request).then_some(*mark)
    }

    /// The marks at the start of the next run.
    pub(super) fn of_next_run(&self) -> Self {
        let unused = |mark: &Mark| Mark {
            is_own: false,
            is_used: false,
            ..*mark
        };
        let marks = self.by_ordinal.iter();
        Self {
            by_ordinal: marks.map(|(at, mark)| (*at, unused(mark))).collect(),
            own_from: None,
        }
    }

    /// The size in memory.
    pub(super) fn bytes(&self) -> usize {
        self.by_ordinal.capacity() * (size_of::<(u64, Mark)>() + 1)
    }
}

fn request_hash(entry: &Entry) -> u64 {
    let request = &entry.request;
    let mut hasher = DefaultHasher::new();
    entry.endpoint.hash(&mut hasher);
    request.method.hash(&mut hasher);
    request.authority.hash(&mut hasher);
    request.target.hash(&mut hasher);
    request.truncated_at.hash(&mut hasher);
    hash_fields(&request.fields, &mut hasher);
    hash_fields(&request.trailers, &mut hasher);
    match &request.body {
        Content::Inline(bytes) => bytes.hash(&mut hasher),
        Content::Stored { digest, size } => (digest, size).hash(&mut hasher),
    }
    hasher.finish()
}

fn hash_fields(fields: &Fields, hasher: &mut DefaultHasher) {
    fields.iter().count().hash(hasher);
    for (name, value) in fields.iter() {
        (name.as_str(), value.as_bytes()).hash(hasher);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_exchange::exchange;

    fn entry(ordinal: u64) -> Arc<Entry> {
        Arc::new(Entry::new(ordinal, exchange()))
    }

    #[test]
    fn a_mark_belongs_to_a_number_and_a_request() {
        let (unused, used, own) = (entry(1), entry(2), entry(3));
        let uses = Uses::new(1, HashMap::new());
        uses.claim_first(&used);
        let marks = ReplayMarks::of(&[unused, used], &[own], (Some(4), &uses));
        assert!(marks.get(&entry(1)).is_none());
        let mark = marks.get(&entry(2)).unwrap();
        assert!(mark.is_used && !mark.is_own);
        assert!(marks.get(&entry(3)).unwrap().is_own);
        assert!(marks.get(&entry(4)).unwrap().is_own && marks.get(&entry(5)).unwrap().is_own);
        let mut other = exchange();
        other.request.target.push_str("?other");
        assert!(marks.get(&Entry::new(2, other)).is_none());
        let next = marks.of_next_run();
        assert!(next.get(&entry(4)).is_none());
        let mark = next.get(&entry(2)).unwrap();
        assert!(!mark.is_used && !next.get(&entry(3)).unwrap().is_own);
    }
}
