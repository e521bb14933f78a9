//! Explains misses: compares a request with the nearest recorded ones.

use std::sync::Arc;

use super::entry::Entry;
use super::index::{Index, request_line};
use super::miss_comparison::{ComparisonBudget, MAX_COMPARED, body_digest};
use ouli_codec::identity::Identity;
use ouli_matching::key::{IdentityUse, Key, KeyedMessage, PartDigest, SelectingFields};
use ouli_matching::miss::{
    self, Candidate, Cause, Guidance, IdentityConflict, Miss, MissedRequest,
};

impl Index {
    /// Explains why a request is a miss: compares it with the nearest recorded requests, part by
    /// part. `key` is the key of the request. The last pair is the number of exchanges if all of
    /// the key are replayed, and what is known of the cause.
    pub(crate) fn explain_miss(
        &self,
        message: KeyedMessage,
        key: &Key,
        mut budget: ComparisonBudget,
        (exhausted, known): (Option<usize>, Option<Cause>),
        guidance: Guidance,
    ) -> Miss {
        // The index is not locked while requests are compared.
        let (nearest, is_empty) = self.nearest(key);
        let mut candidates = Vec::with_capacity(nearest.len());
        for (entry, key) in &nearest {
            if budget.is_used_up() {
                break;
            }
            candidates.extend(self.candidate(entry, key, &mut budget));
        }
        let known = known.or_else(|| match exhausted {
            Some(_) => None,
            None => self
                .broken_renaming(key, &nearest)
                .map(Cause::OtherIdentity),
        });
        let mut refused = self.refused.iter();
        let live = SelectingFields::of(message.view.fields());
        let edited = refused
            .find(|(_, refused)| refused.key.hash() == key.hash() && refused.variant.suits(&live));
        let cause = match (edited, exhausted) {
            (Some((exchange, _)), _) => Cause::Edited {
                exchange: *exchange,
            },
            (None, Some(recorded)) => Cause::Exhausted { recorded },
            (None, None) if known.is_some() => known.unwrap_or(Cause::NoMatch),
            (None, None) if self.session.has_no_cassette() => Cause::NoCassette,
            (None, None) if is_empty => Cause::Empty,
            (None, None) => Cause::NoMatch,
        };
        let missed = MissedRequest {
            session: self.session.name().to_string(),
            request_line: request_line(&*message.view),
            message,
            cause,
            unavailable: self.session.unavailable(),
            guidance,
        };
        miss::report(missed, candidates)
    }

    /// The recorded requests whose keys are nearest to a key, the nearest first. True if the index
    /// is empty.
    fn nearest(&self, key: &Key) -> (Vec<(Arc<Entry>, Key)>, bool) {
        let state = self.state.read();
        let keys = state.entries.iter().enumerate();
        let keys = keys.filter_map(|(position, (_, key))| key.as_ref().map(|key| (position, key)));
        let nearest = miss::rank(key, keys, MAX_COMPARED).into_iter();
        let nearest = nearest.filter_map(|position| {
            let (entry, key) = &state.entries[position];
            Some((Arc::clone(entry), key.clone()?))
        });
        (nearest.collect(), state.entries.is_empty())
    }

    /// The value that a request lacks, where the nearest recorded one has a value that a client
    /// made up, and another one stands for it.
    fn broken_renaming(
        &self,
        live: &Key,
        nearest: &[(Arc<Entry>, Key)],
    ) -> Option<IdentityConflict> {
        let bindings = self.session.bindings().lock();
        nearest.iter().find_map(|(entry, recorded)| {
            let lacks = |it: &&IdentityUse| {
                let mut own = live.identities().iter();
                !own.any(|own| own.place == it.place)
            };
            let lacking: Vec<_> = recorded.identities().iter().filter(lacks).collect();
            let differs_there_alone = live.parts().len() == recorded.parts().len()
                && live
                    .parts()
                    .iter()
                    .zip(recorded.parts())
                    .all(|(one, other)| {
                        let is_there =
                            |it: &&IdentityUse| PartDigest::name_of(&it.part) == one.name;
                        one.name == other.name
                            && (one.value == other.value || lacking.iter().any(is_there))
                    });
            let mut lacking = lacking.into_iter().filter(|_| differs_there_alone);
            lacking.find_map(|it| {
                let Identity::Minted(value) = &it.identity else {
                    return None;
                };
                Some(IdentityConflict {
                    part: it.part.to_string(),
                    exchange: entry.ordinal,
                    reason: bindings.origin_of(value)?,
                    is_minted: true,
                })
            })
        })
    }

    /// The size in bytes of the bodies that [`Self::explain_miss`] compares with this key. A body
    /// that is too large for that is not read.
    pub(crate) fn nearest_size(&self, key: &Key) -> usize {
        let (nearest, _) = self.nearest(key);
        let sizes = nearest.iter().map(|(entry, _)| entry.request.body.size());
        usize::try_from(sizes.sum::<u64>()).unwrap_or(usize::MAX)
    }

    fn candidate(
        &self,
        entry: &Arc<Entry>,
        key: &Key,
        budget: &mut ComparisonBudget,
    ) -> Option<Candidate> {
        let size = usize::try_from(entry.request.body.size()).unwrap_or(usize::MAX);
        let view = if budget.is_too_large(size) {
            self.request_view_without_body(entry)
        } else {
            self.request_view(entry)
        };
        let view = budget.admit(view.ok()?, size, body_digest(key));
        let secrets = self.session.secrets();
        Some(Candidate {
            ordinal: usize::try_from(entry.ordinal).unwrap_or(usize::MAX),
            request_line: request_line(&*view),
            message: self.plugins.keyed_request(&view, secrets).ok()?,
            response: entry.response.fields.clone(),
            replayed: self.session.entries.uses().is_used(entry),
        })
    }
}
