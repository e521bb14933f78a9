//! Looks a request up by the first parts of its body: recorded requests may be truncated, because
//! the upstream responded early. If all recorded requests to a path are, the replay responds early
//! too.

use std::sync::Arc;

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use super::lookup::{Lookup, exhausted_policy, look_up_request};
use super::part_keys::{DerivedPart, PartDeriver, PartKeys, part_of};
use super::truncated_search::TruncatedSearch;
use crate::handler::buffered_body::EarlyEnd;
use crate::handler::{ExchangeError, RequestContext};
use crate::record::RequestHead;
use crate::session::{
    ClaimedEntry, EarlyDecision, EarlyPart, LookupResult, MAX_COMPARED, TruncatedKey,
};
use ouli_config::Mode;

/// The first parts of one request.
pub(super) struct TruncatedParts<'a> {
    context: &'a RequestContext<'a>,
    keys: PartKeys,
    /// The lengths that are left to be tried while the body is read, the shortest first.
    early_lengths: std::vec::IntoIter<u64>,
    next_early: Option<u64>,
    /// The keys of recorded requests that were found while the body was read.
    found: Vec<TruncatedKey>,
    /// The digest of the bytes before `digested`.
    digest: Xxh3,
    digested: usize,
    result: Option<LookupResult>,
}

/// The result for a request whose rest is not read.
pub(super) enum EarlyResult {
    Hit(ClaimedEntry),
    /// All exchanges are replayed, and none is repeated.
    Exhausted(Box<Lookup>),
}

/// Lengths whose keys are derived, and the part that they are lengths of.
struct Attempt {
    deriver: Arc<PartDeriver>,
    lengths: Vec<u64>,
    part: Bytes,
    /// The keys that were found before.
    found: Vec<TruncatedKey>,
}

impl<'a> TruncatedParts<'a> {
    pub(super) async fn new(
        context: &'a RequestContext<'a>,
        head: &'a RequestHead,
    ) -> Result<Self, ExchangeError> {
        let index = context.index().await?;
        let lengths = index.early_lengths(&head.method, head.target.path());
        let mut early_lengths = lengths.into_iter();
        Ok(Self {
            context,
            keys: PartKeys::new(context, index, head),
            next_early: early_lengths.next(),
            early_lengths,
            found: Vec::new(),
            digest: Xxh3::new(),
            digested: 0,
            result: None,
        })
    }

    /// The lengths of recorded parts that have arrived and that the limit allows to compare.
    fn arrived_lengths(&mut self, received: &[u8]) -> Vec<u64> {
        let mut lengths = Vec::new();
        while let Some(length) = self.next_early
            && length <= received.len() as u64
        {
            self.next_early = self.early_lengths.next();
            let part = part_of(received, length);
            self.digest.update(&part[self.digested..]);
            self.digested = part.len();
            // Parts with the same bytes come first. Others are found by the whole request if the
            // limit does not allow to compare them now.
            let index = &self.keys.deriver.index;
            let is_exact = index.has_exact(length, self.digest.digest128());
            if is_exact || self.keys.may_derive_early(length) {
                lengths.push(length);
            }
        }
        lengths
    }

    /// Derives the keys of these lengths, and decides. A large part is worked on by a thread of its
    /// own.
    async fn attempt(&mut self, lengths: &[u64], part: &Bytes) -> Result<Tried, ExchangeError> {
        let attempt = Attempt {
            deriver: Arc::clone(&self.keys.deriver),
            lengths: lengths.to_vec(),
            part: part.clone(),
            found: self.found.clone(),
        };
        // Recorded requests may be compared with the part, too.
        let all = part.len().saturating_mul(lengths.len() + MAX_COMPARED);
        let offload_size = self.context.snapshot.config.limits.offload_size;
        let size = part.len().max(all.min(offload_size));
        let (tried, _memory) = self.context.work_on_body(size, || attempt.run()).await?;
        let tried = tried?;
        tried.derived.iter().for_each(|it| self.keys.count(it));
        let found = tried.derived.iter().filter_map(|it| it.found);
        self.found.extend(found);
        Ok(tried)
    }

    /// The result for a request that is answered before its end.
    pub(super) async fn into_early_result(
        self,
        received: &Bytes,
    ) -> Result<EarlyResult, ExchangeError> {
        let exhausted = match self.result {
            Some(LookupResult::Hit(claimed)) => return Ok(EarlyResult::Hit(claimed)),
            Some(LookupResult::Exhausted(count)) => Some(count),
            Some(LookupResult::NotFound | LookupResult::OtherIdentity(_)) | None => None,
        };
        let length = self.found.last().map_or(0, |(length, _)| *length);
        let part = received.slice_ref(part_of(received, length));
        let part = self.keys.deriver.part(&part);
        let part = part.map_err(|error| ExchangeError::Undecodable(error.to_string()))?;
        let mut lookup = look_up_request(self.context, part.completed()).await?;
        lookup.exhausted = exhausted;
        Ok(EarlyResult::Exhausted(Box::new(lookup)))
    }

    /// The search for the parts of a whole request. None if no part can match.
    pub(super) fn into_search(self, body: &Bytes) -> Option<TruncatedSearch> {
        TruncatedSearch::new(self.keys, body)
    }
}

impl EarlyEnd for TruncatedParts<'_> {
    /// True if a recorded request was truncated after the bytes received so far, or after fewer of
    /// them: then its exchange is the result. Equal requests may have been truncated after more,
    /// and keep their order.
    async fn is_enough(&mut self, received: &[u8]) -> Result<bool, ExchangeError> {
        let mut lengths = self.arrived_lengths(received);
        let Some(longest) = lengths.last() else {
            return Ok(false);
        };
        let part = Bytes::copy_from_slice(part_of(received, *longest));
        let exhausted = exhausted_policy(self.context);
        loop {
            let tried = self.attempt(&lengths, &part).await?;
            let Some(next) = tried.claim else {
                return Ok(false);
            };
            let deriver = &self.keys.deriver;
            let (index, fields) = (&deriver.index, deriver.fields()?);
            self.result = index.claim_early(&self.found, next, fields, exhausted);
            match &self.result {
                Some(
                    LookupResult::Exhausted(_)
                    | LookupResult::NotFound
                    | LookupResult::OtherIdentity(_),
                ) if self.context.endpoint.configured.mode == Mode::Auto => {
                    // The whole request is forwarded.
                    (self.result, self.next_early) = (None, None);
                    return Ok(false);
                }
                Some(_) => return Ok(true),
                // Another request took it first.
                None => lengths.clear(),
            }
        }
    }
}

/// The result of an attempt.
struct Tried {
    derived: Vec<DerivedPart>,
    /// The position of the exchange to claim, or none to repeat one. None if the request should be
    /// read further.
    claim: Option<Option<usize>>,
}

impl Attempt {
    fn run(mut self) -> Result<Tried, ExchangeError> {
        let mut derived = Vec::with_capacity(self.lengths.len());
        for length in &self.lengths {
            let part = self.part.slice_ref(part_of(&self.part, *length));
            let it = self.deriver.derive(*length, &part)?;
            self.found.extend(it.found);
            derived.push(it);
        }
        let claim = self.decide()?;
        Ok(Tried { derived, claim })
    }

    fn decide(&self) -> Result<Option<Option<usize>>, ExchangeError> {
        let (deriver, index) = (&self.deriver, &self.deriver.index);
        let Some(longest) = self.found.last() else {
            return Ok(None);
        };
        let live = deriver.part(&self.part);
        let live = live.map_err(|error| ExchangeError::Undecodable(error.to_string()))?;
        let decided = index.decide_early(&EarlyPart {
            method: &deriver.head.method,
            path: deriver.head.path(),
            found: &self.found,
            tried: self.part.len() as u64,
            body: live.body(),
            fields: deriver.fields()?,
        });
        Ok(match decided {
            EarlyDecision::Claim { next, others } if !index.any_begins_with(&others, *longest) => {
                Some(next)
            }
            EarlyDecision::Claim { .. } | EarlyDecision::ReadOn => None,
        })
    }
}
