//! Looks a request up by the first parts of its body: recorded requests may be truncated, because
//! the upstream responded early. If all recorded requests to a path are, the replay responds early
//! too.

use std::sync::Arc;

use bytes::Bytes;

use super::lookup::{Lookup, decoding_bounds, look_up_request};
use crate::handler::{ExchangeError, RequestContext};
use crate::record::RequestHead;
use crate::session::{Index, LivePart, TruncatedKey};

/// The first parts of one request.
pub(super) struct TruncatedParts<'a> {
    context: &'a RequestContext<'a>,
    index: Arc<Index>,
    head: &'a RequestHead,
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
            index,
            head,
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
            tried = Some(length);
            let part = Bytes::copy_from_slice(part_of(received, length));
            self.found.extend(self.matching_key(length, &part)?);
        }
        let Some(tried) = tried.filter(|_| !self.found.is_empty()) else {
            return Ok(false);
        };
        let (method, path) = (&self.head.method, self.head.target.path());
        let index = &self.index;
        Ok(!index.has_longer_before(method, path, &self.found, tried))
    }

    /// The lookup of a request that is answered before its end.
    pub(super) async fn into_early_lookup(self, received: &Bytes) -> Result<Lookup, ExchangeError> {
        let length = self.found.last().map_or(0, |(length, _)| *length);
        let part = received.slice_ref(part_of(received, length));
        let request = self.part(&part)?.completed();
        let mut lookup = look_up_request(self.context, request).await?;
        lookup.truncated_keys = self.found;
        lookup.is_partial = true;
        Ok(lookup)
    }

    /// The keys of the parts of a whole request that recorded requests were truncated after.
    pub(super) fn keys(&self, body: &Bytes) -> Result<Vec<TruncatedKey>, ExchangeError> {
        let lengths = self.index.truncated_lengths().into_iter();
        // The upstream of a request that was truncated before its body did not wait for one: the
        // request had a body.
        let lengths = lengths.filter(|length| *length <= body.len() as u64 && !body.is_empty());
        let keys = lengths.map(|length| {
            let part = body.slice_ref(part_of(body, length));
            self.matching_key(length, &part)
        });
        keys.filter_map(Result::transpose).collect()
    }

    /// The key of a part, if a recorded request was truncated after it. A part that cannot be
    /// decoded has none.
    fn matching_key(
        &self,
        length: u64,
        part: &Bytes,
    ) -> Result<Option<TruncatedKey>, ExchangeError> {
        let Ok(live) = self.part(part) else {
            return Ok(None);
        };
        let secrets = self.context.session.secrets();
        let plugins = &self.context.snapshot.plugins;
        let view = plugins.view(
            Arc::clone(&self.context.endpoint.name),
            Arc::clone(self.context.session.name()),
            Arc::new(live.completed()),
            Arc::clone(secrets),
        )?;
        let match_key = plugins.key(&view, secrets)?;
        self.context.session.count_failed_matcher(&match_key);
        let key = (length, live.key_hash(match_key.key.hash()));
        Ok(self.index.has_truncated(key).then_some(key))
    }

    fn part(&self, part: &Bytes) -> Result<LivePart, ExchangeError> {
        let head = self
            .head
            .to_recorded_request(&self.context.endpoint.authority);
        let part = LivePart::new(head, part, decoding_bounds(self.context));
        part.map_err(|error| ExchangeError::Undecodable(error.to_string()))
    }
}

fn part_of(body: &[u8], length: u64) -> &[u8] {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    &body[..length.min(body.len())]
}
