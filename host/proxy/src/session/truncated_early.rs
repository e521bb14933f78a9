//! Chooses the exchange for a request that is answered before its end.

use std::sync::Arc;

use http::Method;

use super::claimed_entry::ClaimedEntry;
use super::entry::Entry;
use super::index::{ExhaustedPolicy, Index, LookupResult};
use super::miss_comparison::MAX_COMPARED;
use super::truncated_index::TruncatedKey;
use super::truncated_request;
use ouli_matching::key::{IdentityUse, Key, PartDigest, SelectingFields};
use ouli_message::Fields;

/// The parts of a key that do not depend on the body.
const HEAD_PARTS: [&str; 5] = ["endpoint", "method", "authority", "path", "query"];

/// The first part of a live request, and what it matches.
pub(crate) struct EarlyPart<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    /// The keys of the recorded requests that match, the shortest first.
    pub(crate) found: &'a [TruncatedKey],
    /// The identities in it.
    pub(crate) identities: &'a [IdentityUse],
    /// The length up to which recorded requests were compared.
    pub(crate) tried: u64,
    /// The part, without its content codings.
    pub(crate) body: &'a [u8],
    /// The fields of the request, redacted.
    pub(crate) fields: &'a Fields,
}

/// The exchange for a request of which only a part has arrived, as far as it is known without the
/// keys of other recorded requests.
pub(crate) enum EarlyDecision {
    /// An exchange that was recorded before begins with this part too, is truncated after more, and
    /// was not replayed yet: the request should be read further.
    ReadOn,
    /// The exchange at this position, or the repetition of one, unless one of the others begins
    /// with this part: equal bodies may have other bytes, as JSON with other white space.
    Claim {
        next: Option<usize>,
        others: Vec<Arc<Entry>>,
    },
}

impl Index {
    /// Decides which exchange is the one for a request of which only this part has arrived. No key
    /// is derived, since the index is locked.
    pub(crate) fn decide_early(&self, part: &EarlyPart<'_>) -> EarlyDecision {
        let state = self.state.read();
        let matching = part.found.iter();
        let matching = matching.flat_map(|key| state.truncated.positions(*key));
        let fields = SelectingFields::of(part.fields);
        let suits = |position: usize| {
            let conflict = || self.identity_conflict(&state, position, part.identities);
            state.suits(position, &fields) && conflict().is_none()
        };
        let uses = self.session.entries.uses();
        let is_unused = |position: usize| !uses.is_used(&state.entries[position].0);
        let unused = matching
            .copied()
            .filter(|position| is_unused(*position) && suits(*position));
        let next = unused.min();
        let longest = part.found.last().map(|key| state.truncated.positions(*key));
        let longest = longest.and_then(<[usize]>::first);
        let longest = longest.and_then(|position| state.entries[*position].1.as_ref());
        let mut others = Vec::new();
        for position in 0..next.unwrap_or(state.entries.len()) {
            let (entry, key) = &state.entries[position];
            let is_candidate = !uses.is_used(entry) && is_longer(entry, part) && suits(position);
            if !is_candidate || has_other_head(key.as_ref(), longest) {
                continue;
            }
            let recorded = state.truncated.beginning(position, entry);
            let shared = recorded.len().min(part.body.len());
            if recorded[..shared] == part.body[..shared] {
                return EarlyDecision::ReadOn;
            }
            // A key is derived for each, so only a few are compared.
            if others.len() < MAX_COMPARED {
                others.push(Arc::clone(entry));
            }
        }
        EarlyDecision::Claim { next, others }
    }

    /// Claims the exchange that was decided on. None if another request took it first.
    pub(crate) fn claim_early(
        &self,
        (found, identities): (&[TruncatedKey], &[IdentityUse]),
        next: Option<usize>,
        live: &Fields,
        exhausted: ExhaustedPolicy,
    ) -> Option<LookupResult> {
        let Some(next) = next else {
            return Some(self.find_among((None, identities), found, live, exhausted));
        };
        let state = self.state.read();
        let (entry, key) = &state.entries[next];
        let recorded = key.as_ref().map_or(&[][..], Key::identities);
        let uses = self.session.entries.uses();
        if !uses.claim_first(entry) {
            return None;
        }
        // It is returned if another request has bound the identities meanwhile.
        let claimed = ClaimedEntry::new(entry, uses);
        let is_bound = self.bind_identities(&state, entry, (identities, recorded), &[]);
        is_bound.then_some(LookupResult::Hit(claimed))
    }
}

fn is_longer(entry: &Entry, part: &EarlyPart<'_>) -> bool {
    let request = &entry.request;
    request.truncated_at > Some(part.tried)
        && request.method == *part.method
        && request.path() == part.path
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
