//! Searches the recorded requests that are truncated for the first parts of a whole request.

use std::sync::Arc;

use bytes::Bytes;

use super::part_keys::{PartKeys, part_of};
use crate::handler::{ExchangeError, RequestContext};
use crate::session::{TruncatedCandidate, TruncatedKey};
use ouli_matching::key::Key;
use ouli_plugin::PluginFailure;

/// A search that goes on where it stopped: most requests are found by the key of one part.
pub(super) struct TruncatedSearch {
    keys: PartKeys,
    body: Bytes,
    /// The likeliest last, each with the first position of it and those before it in this list.
    candidates: Vec<(TruncatedCandidate, Option<usize>)>,
    found: Vec<TruncatedKey>,
    /// Those of the same bytes.
    exact: Vec<TruncatedKey>,
    /// The recorded lengths that were not compared (`limits.truncated_comparison`).
    skipped: usize,
}

impl TruncatedSearch {
    /// None if no part of the body can match.
    pub(super) fn new(keys: PartKeys, body: &Bytes) -> Option<Self> {
        // The upstream of a request that was truncated before its body did not wait for one: the
        // request had a body.
        if body.is_empty() || !keys.deriver.index.may_match_truncated(body.len()) {
            return None;
        }
        let (head, index) = (&keys.deriver.head, &keys.deriver.index);
        let candidates = index.truncated_candidates((&head.method, head.path()), body);
        let mut first = None;
        let with_first = candidates.into_iter().rev().map(|candidate| {
            first = first.into_iter().chain(candidate.next).min();
            (candidate, first)
        });
        Some(Self {
            body: body.clone(),
            candidates: with_first.collect(),
            found: Vec::new(),
            exact: Vec::new(),
            skipped: 0,
            keys,
        })
    }

    /// The keys that were found. If candidates were skipped, those of the same bytes alone: one
    /// that was skipped may come before another.
    pub(super) fn found(&self) -> &[TruncatedKey] {
        if self.skipped > 0 {
            &self.exact
        } else {
            &self.found
        }
    }

    /// The number of recorded lengths that were not compared.
    pub(super) fn skipped(&self) -> usize {
        self.skipped
    }

    /// True if nothing is left to be tried.
    pub(super) fn is_complete(&self) -> bool {
        self.candidates.is_empty()
    }

    /// Tries candidates until none of those left can come before what is found. `key` is the key
    /// of the whole request. A large body is worked on by a thread of its own.
    pub(super) async fn advance(
        mut self,
        context: &RequestContext<'_>,
        key: &Key,
    ) -> Result<Self, ExchangeError> {
        let lengths = self.candidates.iter().map(|(it, _)| it.length);
        let all = usize::try_from(lengths.sum::<u64>()).unwrap_or(usize::MAX);
        let offload_size = context.snapshot.config.limits.offload_size;
        let size = self.body.len().max(all.min(offload_size));
        let key = key.clone();
        let work = move || {
            self.try_candidates(&key)?;
            Ok::<_, PluginFailure>(self)
        };
        let (search, _memory) = context.work_on_body(size, work).await?;
        Ok(search?)
    }

    fn try_candidates(&mut self, key: &Key) -> Result<(), PluginFailure> {
        let deriver = Arc::clone(&self.keys.deriver);
        let fields = deriver.fields()?;
        let mut next = deriver.index.next_with_truncated(key, &self.found, fields);
        while let Some((candidate, first_left)) = self.candidates.last() {
            if next.is_some_and(|next| first_left.is_none_or(|left| next < left)) {
                return Ok(());
            }
            let (length, is_exact) = (candidate.length, candidate.is_exact);
            if !self.keys.may_derive(length) {
                self.skipped = self.candidates.len();
                self.candidates.clear();
                return Ok(());
            }
            self.candidates.pop();
            let part = self.body.slice_ref(part_of(&self.body, length));
            let derived = deriver.derive(length, &part)?;
            self.keys.count(&derived);
            if let Some(found) = derived.found {
                self.found.push(found);
                self.exact.extend(is_exact.then_some(found));
                next = deriver.index.next_with_truncated(key, &self.found, fields);
            }
        }
        Ok(())
    }
}
