//! Looks a request up by the first parts of its body: recorded requests may be truncated, because
//! the upstream responded early. If all recorded requests to a path are, the replay responds early
//! too.

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use super::lookup::{Lookup, exhausted_policy, look_up_request};
use super::part_keys::{PartKeys, part_of};
use super::truncated_search::TruncatedSearch;
use crate::handler::{ExchangeError, RequestContext};
use crate::record::RequestHead;
use crate::session::{EarlyPart, LookupResult, TruncatedKey};

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

    /// True if a recorded request was truncated after the bytes received so far, or after fewer of
    /// them: then its exchange is the result. Equal requests may have been truncated after more,
    /// and keep their order.
    pub(super) fn match_early(&mut self, received: &[u8]) -> Result<bool, ExchangeError> {
        let mut tried = None;
        while let Some(length) = self.next_early
            && length <= received.len() as u64
        {
            self.next_early = self.early_lengths.next();
            let part = part_of(received, length);
            self.digest.update(&part[self.digested..]);
            self.digested = part.len();
            // Parts with the same bytes come first. Others are found by the whole request if the
            // limit does not allow to compare them now.
            let is_exact = self.keys.index.has_exact(length, self.digest.digest128());
            if is_exact || self.keys.may_derive_early(length) {
                tried = Some(length);
                let part = Bytes::copy_from_slice(part);
                self.found.extend(self.keys.matching_key(length, &part)?);
            }
        }
        let Some(tried) = tried.filter(|_| !self.found.is_empty()) else {
            return Ok(false);
        };
        let live = self
            .keys
            .part(&Bytes::copy_from_slice(part_of(received, tried)));
        let live = live.map_err(|error| ExchangeError::Undecodable(error.to_string()))?;
        let head = &self.keys.head;
        let part = EarlyPart {
            method: &head.method,
            path: head.path(),
            found: &self.found,
            tried,
            body: live.body(),
        };
        let exhausted = exhausted_policy(self.context);
        self.result = self.keys.index.claim_early(&part, exhausted);
        Ok(self.result.is_some())
    }

    /// The lookup of a request that is answered before its end, with its result.
    pub(super) async fn into_early_lookup(
        mut self,
        received: &Bytes,
    ) -> Result<Lookup, ExchangeError> {
        let length = self.found.last().map_or(0, |(length, _)| *length);
        let part = received.slice_ref(part_of(received, length));
        let part = self.keys.part(&part);
        let part = part.map_err(|error| ExchangeError::Undecodable(error.to_string()))?;
        let mut lookup = look_up_request(self.context, part.completed()).await?;
        lookup.early = self.result.take();
        Ok(lookup)
    }

    /// The search for the parts of a whole request. None if no part can match.
    pub(super) fn into_search(self, body: &Bytes) -> Option<TruncatedSearch> {
        TruncatedSearch::new(self.keys, body)
    }
}
