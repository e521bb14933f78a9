//! Finds exchanges whose requests are truncated.

use http::Method;

use super::claimed_entry::ClaimedEntry;
use super::index::{ExhaustedPolicy, Index, IndexState, LookupResult};
use super::index_identity::Candidates;
use super::truncated_index::{TruncatedCandidate, TruncatedKey};
use ouli_matching::key::{IdentityUse, Key};

impl Index {
    /// The next exchange for a key, or for one of the keys of the first parts of a request.
    pub(crate) fn find_with_truncated(
        &self,
        key: Option<&Key>,
        truncated: &[TruncatedKey],
        exhausted: ExhaustedPolicy,
    ) -> LookupResult {
        let identities = key.map_or(&[][..], Key::identities);
        self.find_among((key, identities), truncated, exhausted)
    }

    /// The same for a request with these identities.
    fn find_among(
        &self,
        (key, identities): (Option<&Key>, &[IdentityUse]),
        truncated: &[TruncatedKey],
        exhausted: ExhaustedPolicy,
    ) -> LookupResult {
        let state = self.state.read();
        let whole = key.map_or(&[][..], |key| state.positions(key));
        let parts = truncated.iter().map(|key| state.truncated.positions(*key));
        let mut positions: Vec<_> = parts.chain([whole]).flatten().copied().collect();
        positions.sort_unstable();
        if identities.is_empty() {
            return take_next(&state, &positions, exhausted);
        }
        let candidates = Candidates {
            positions: &positions,
            from: 0,
            returned: None,
        };
        self.choose(&state, &candidates, identities, exhausted)
    }

    /// The next exchange for one of these keys that was not replayed yet.
    pub(crate) fn find_next(&self, key: &Key, truncated: &[TruncatedKey]) -> Option<ClaimedEntry> {
        match self.find_with_truncated(Some(key), truncated, ExhaustedPolicy::Miss) {
            LookupResult::Hit(claimed) => Some(claimed),
            LookupResult::Exhausted(_)
            | LookupResult::NotFound
            | LookupResult::OtherIdentity(_) => None,
        }
    }

    /// The next exchange whose upstream responded without the body of the request, for the key of a
    /// request without its body.
    pub(crate) fn find_refused_body(&self, key: &Key, exhausted: ExhaustedPolicy) -> LookupResult {
        let identities = (None, key.identities());
        self.find_among(identities, &[(0, key.hash())], exhausted)
    }

    /// True if a request with this method is recorded with its body, or with a part of it.
    pub(crate) fn has_body_for(&self, method: &Method) -> bool {
        let state = self.state.read();
        let mut requests = state.entries.iter().map(|(entry, _)| &entry.request);
        requests.any(|request| request.method == *method && request.truncated_at != Some(0))
    }

    /// True if the part of a body of this size may match a recorded request that is truncated.
    pub(crate) fn may_match_truncated(&self, size: usize) -> bool {
        self.state.read().truncated.has_shorter(size as u64)
    }

    /// The lengths whose part of this body may match, the likeliest first.
    pub(crate) fn truncated_candidates(
        &self,
        method_and_path: (&Method, &str),
        body: &[u8],
    ) -> Vec<TruncatedCandidate> {
        let state = self.state.read();
        let is_unused = |position: usize| !state.entries[position].0.is_used();
        let truncated = &state.truncated;
        truncated.candidates(method_and_path, body, is_unused)
    }

    /// The position of the exchange that [`Self::find_with_truncated`] finds first, if one of them
    /// was not replayed yet.
    pub(crate) fn next_with_truncated(
        &self,
        key: &Key,
        truncated: &[TruncatedKey],
    ) -> Option<usize> {
        let state = self.state.read();
        let parts = truncated.iter().map(|key| state.truncated.positions(*key));
        let positions = parts.chain([state.positions(key)]).flatten().copied();
        let is_unused = |position: &usize| !state.entries[*position].0.is_used();
        positions.filter(is_unused).min()
    }

    /// The lengths after which a request can be answered before its end.
    pub(crate) fn early_lengths(&self, method: &Method, path: &str) -> Vec<u64> {
        self.state.read().truncated.early_lengths(method, path)
    }

    /// True if a recorded request was truncated at this length, and its part has this digest.
    pub(crate) fn has_exact(&self, length: u64, digest: u128) -> bool {
        self.state.read().truncated.has_exact(length, digest)
    }

    /// True if a recorded request was truncated after a part with this key.
    pub(crate) fn has_truncated(&self, key: TruncatedKey) -> bool {
        !self.state.read().truncated.positions(key).is_empty()
    }
}

/// The next exchange of these positions.
fn take_next(state: &IndexState, positions: &[usize], exhausted: ExhaustedPolicy) -> LookupResult {
    let mut entries = positions.iter().map(|position| &state.entries[*position].0);
    match entries.find(|entry| entry.claim_first()) {
        Some(entry) => LookupResult::Hit(ClaimedEntry::new(entry)),
        None if positions.is_empty() => LookupResult::NotFound,
        None => state.repeat_last(positions, exhausted),
    }
}
