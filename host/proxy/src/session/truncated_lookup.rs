//! Finds exchanges whose requests are truncated.

use http::Method;

use super::candidates::Sources;
use super::claimed_entry::ClaimedEntry;
use super::index::{ExhaustedPolicy, Index, IndexState, LookupResult};
use super::truncated_index::{TruncatedCandidate, TruncatedKey};
use ouli_matching::key::{IdentityUse, Key, SelectingFields};
use ouli_message::Fields;

impl Index {
    /// The next exchange for a key, or for one of the keys of the first parts of a request, whose
    /// response suits a request with these fields.
    pub(crate) fn find_with_truncated(
        &self,
        key: Option<&Key>,
        truncated: &[TruncatedKey],
        live: &Fields,
        exhausted: ExhaustedPolicy,
    ) -> LookupResult {
        let identities = key.map_or(&[][..], Key::identities);
        self.find_among((key, identities), truncated, live, exhausted)
    }

    /// The same for a request with these identities.
    pub(super) fn find_among(
        &self,
        (key, identities): (Option<&Key>, &[IdentityUse]),
        truncated: &[TruncatedKey],
        live: &Fields,
        exhausted: ExhaustedPolicy,
    ) -> LookupResult {
        let state = self.state.read();
        let mut positions = state.with_truncated(key, truncated, live);
        positions.sort_unstable();
        if identities.is_empty() {
            return self.take_next_of(&state, &positions, exhausted);
        }
        let sources = Sources::of_positions(positions);
        self.choose(&state, &sources, identities, exhausted)
    }

    /// The next exchange of these positions.
    fn take_next_of(
        &self,
        state: &IndexState,
        positions: &[usize],
        exhausted: ExhaustedPolicy,
    ) -> LookupResult {
        let uses = self.session.entries.uses();
        let entries = positions.iter().map(|position| &state.entries[*position]);
        let mut entries = entries
            .map(|(entry, _)| entry)
            .filter(|entry| uses.has(entry));
        match entries.clone().find(|entry| uses.claim_first(entry)) {
            Some(entry) => LookupResult::Hit(ClaimedEntry::new(entry, uses)),
            None => entries.next_back().map_or(LookupResult::NotFound, |last| {
                self.repeat_last(last, positions.len(), exhausted)
            }),
        }
    }

    /// The next exchange for one of these keys that was not replayed yet.
    pub(crate) fn find_next(
        &self,
        key: &Key,
        truncated: &[TruncatedKey],
        live: &Fields,
    ) -> Option<ClaimedEntry> {
        match self.find_with_truncated(Some(key), truncated, live, ExhaustedPolicy::Miss) {
            LookupResult::Hit(claimed) => Some(claimed),
            LookupResult::Exhausted(_)
            | LookupResult::NotFound
            | LookupResult::OtherIdentity(_) => None,
        }
    }

    /// The next exchange whose upstream responded without the body of the request, for the key and
    /// the fields of a request without its body.
    pub(crate) fn find_refused_body(
        &self,
        key: &Key,
        live: &Fields,
        exhausted: ExhaustedPolicy,
    ) -> LookupResult {
        let identities = (None, key.identities());
        self.find_among(identities, &[(0, key.hash())], live, exhausted)
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
        let uses = self.session.entries.uses();
        let is_unused = |position: usize| !uses.is_used(&state.entries[position].0);
        let truncated = &state.truncated;
        truncated.candidates(method_and_path, body, is_unused)
    }

    /// The position of the exchange that [`Self::find_with_truncated`] finds first, if one of them
    /// was not replayed yet.
    pub(crate) fn next_with_truncated(
        &self,
        key: &Key,
        truncated: &[TruncatedKey],
        live: &Fields,
    ) -> Option<usize> {
        let state = self.state.read();
        let positions = state.with_truncated(Some(key), truncated, live);
        let identities = key.identities();
        let uses = self.session.entries.uses();
        let may_be_next = |position: &usize| {
            let conflict = || self.identity_conflict(&state, *position, identities);
            !uses.is_used(&state.entries[*position].0) && conflict().is_none()
        };
        positions.into_iter().filter(may_be_next).min()
    }

    /// The lengths after which a request can be answered before its end.
    pub(crate) fn early_lengths(&self, method: &Method, path: &str) -> Vec<u64> {
        self.state.read().truncated.early_lengths(method, path)
    }

    /// True if a recorded request was truncated at this length, and its part has this digest.
    pub(crate) fn has_exact(&self, length: u64, digest: u128) -> bool {
        self.state.read().truncated.has_exact(length, digest)
    }

    /// True if a recorded request was truncated after a part with this key, and its response suits
    /// a request with these fields.
    pub(crate) fn has_truncated(&self, key: TruncatedKey, live: &Fields) -> bool {
        let state = self.state.read();
        let mut positions = state.truncated.positions(key).iter();
        let live = SelectingFields::of(live);
        positions.any(|position| state.suits(*position, &live))
    }
}

impl IndexState {
    /// The positions for a key and for the keys of first parts, of responses that suit a request
    /// with these fields.
    fn with_truncated(
        &self,
        key: Option<&Key>,
        truncated: &[TruncatedKey],
        live: &Fields,
    ) -> Vec<usize> {
        let parts = truncated.iter().map(|key| self.truncated.positions(*key));
        let parts = parts.flatten().copied();
        let whole = key.map_or_else(Vec::new, |key| self.positions(key, live));
        let live = SelectingFields::of(live);
        let suitable = parts.filter(|position| self.suits(*position, &live));
        suitable.chain(whole).collect()
    }
}
