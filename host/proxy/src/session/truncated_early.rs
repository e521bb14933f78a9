//! Chooses the exchange for a request that is answered before its end.

use std::sync::Arc;

use http::Method;

use super::entry::Entry;
use super::index::{ExhaustedPolicy, Index, IndexState, LookupResult};
use super::miss_comparison::MAX_COMPARED;
use super::truncated_index::TruncatedKey;
use super::truncated_request;
use ouli_matching::key::{Key, PartDigest};

/// The parts of a key that do not depend on the body.
const HEAD_PARTS: [&str; 5] = ["endpoint", "method", "authority", "path", "query"];

/// The first part of a live request, and what it matches.
pub(crate) struct EarlyPart<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    /// The keys of the recorded requests that match, the shortest first.
    pub(crate) found: &'a [TruncatedKey],
    /// The length up to which recorded requests were compared.
    pub(crate) tried: u64,
    /// The part, without its content codings.
    pub(crate) body: &'a [u8],
}

impl Index {
    /// The exchange for a request of which only this part has arrived. None if it should be read
    /// further, because an exchange that was recorded before is truncated after more, was not
    /// replayed yet, and may match too.
    pub(crate) fn claim_early(
        &self,
        part: &EarlyPart<'_>,
        exhausted: ExhaustedPolicy,
    ) -> Option<LookupResult> {
        let longest = part.found.last()?;
        loop {
            let state = self.state.read();
            let matching = part.found.iter();
            let matching = matching.flat_map(|key| state.truncated.positions(*key));
            let next = matching
                .copied()
                .filter(|position| is_unused(&state, *position));
            let next = next.min();
            let before = next.unwrap_or(state.entries.len());
            if self.may_match_longer(&state, part, *longest, before) {
                return None;
            }
            let Some(next) = next else {
                drop(state);
                return Some(self.find_with_truncated(None, part.found, exhausted));
            };
            // Another request may take it first.
            if state.entries[next].0.claim_first() {
                return Some(LookupResult::Hit(Arc::clone(&state.entries[next].0)));
            }
        }
    }

    /// True if one of the first exchanges is truncated after more, and may begin with this part.
    fn may_match_longer(
        &self,
        state: &IndexState,
        part: &EarlyPart<'_>,
        longest: TruncatedKey,
        before: usize,
    ) -> bool {
        let matching = state.truncated.positions(longest).first();
        let matching = matching.and_then(|position| state.entries[*position].1.as_ref());
        let mut compared = 0;
        (0..before).any(|position| {
            let (entry, key) = &state.entries[position];
            if !is_longer(entry, part) || has_other_head(key.as_ref(), matching) {
                return false;
            }
            let recorded = state.truncated.beginning(position, entry);
            let shared = recorded.len().min(part.body.len());
            if recorded[..shared] == part.body[..shared] {
                return true;
            }
            // Equal bodies may have other bytes, as JSON with other white space. A key is derived
            // for each, so only a few are compared.
            compared += 1;
            compared <= MAX_COMPARED && self.may_begin_with(entry, longest)
        })
    }
}

fn is_unused(state: &IndexState, position: usize) -> bool {
    !state.entries[position].0.is_used()
}

fn is_longer(entry: &Entry, part: &EarlyPart<'_>) -> bool {
    let request = &entry.request;
    request.truncated_at > Some(part.tried)
        && request.method == *part.method
        && request.path() == part.path
        && !entry.is_used()
        && truncated_request::is_comparable(request)
}

fn has_other_head(one: Option<&Key>, other: Option<&Key>) -> bool {
    let (Some(one), Some(other)) = (one, other) else {
        return false;
    };
    let value = |key: &Key, name: u64| {
        let part = key.parts().iter().find(|part| part.name == name);
        part.map(|part| part.value)
    };
    let names = HEAD_PARTS.into_iter().map(PartDigest::name_of);
    names
        .into_iter()
        .any(|name| value(one, name) != value(other, name))
}
