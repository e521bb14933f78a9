//! Looks a request up by the first parts of its body: recorded requests may be truncated, because
//! the upstream responded early. If all recorded requests to a path are, the replay responds early
//! too.

use bytes::Bytes;

use super::lookup::{Lookup, look_up_request};
use super::part_keys::{PartKeys, part_of};
use super::truncated_search::TruncatedSearch;
use crate::handler::{ExchangeError, RequestContext};
use crate::record::RequestHead;
use crate::session::TruncatedKey;

/// The first parts of one request.
pub(super) struct TruncatedParts<'a> {
    context: &'a RequestContext<'a>,
    keys: PartKeys,
    /// The lengths that are left to be tried while the body is read, the shortest first.
    early_lengths: std::vec::IntoIter<u64>,
    next_early: Option<u64>,
    /// The keys of recorded requests that were found while the body was read.
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
        })
    }

    /// True if a recorded request was truncated after the bytes received so far, or after fewer of
    /// them. Equal requests may have been truncated after more, and keep their order.
    pub(super) fn match_early(&mut self, received: &[u8]) -> Result<bool, ExchangeError> {
        let mut tried = None;
        while let Some(length) = self.next_early
            && length <= received.len() as u64
        {
            self.next_early = self.early_lengths.next();
            if !self.keys.may_derive(length) {
                // The whole request is looked up.
                self.next_early = None;
                return Ok(false);
            }
            tried = Some(length);
            let part = Bytes::copy_from_slice(part_of(received, length));
            self.found.extend(self.keys.matching_key(length, &part)?);
        }
        let Some(tried) = tried.filter(|_| !self.found.is_empty()) else {
            return Ok(false);
        };
        let head = &self.keys.head;
        let (request, index) = ((&head.method, head.path()), &self.keys.index);
        Ok(!index.has_longer_before(request, &self.found, received, tried))
    }

    /// The lookup of a request that is answered before its end.
    pub(super) async fn into_early_lookup(self, received: &Bytes) -> Result<Lookup, ExchangeError> {
        let length = self.found.last().map_or(0, |(length, _)| *length);
        let part = received.slice_ref(part_of(received, length));
        let part = self.keys.part(&part);
        let part = part.map_err(|error| ExchangeError::Undecodable(error.to_string()))?;
        let request = part.completed();
        let mut lookup = look_up_request(self.context, request).await?;
        lookup.early_keys = Some(self.found);
        Ok(lookup)
    }

    /// The search for the parts of a whole request. None if no part can match.
    pub(super) fn into_search(self, body: &Bytes) -> Option<TruncatedSearch> {
        TruncatedSearch::new(self.keys, body)
    }
}
