//! The keys of the first parts of a request.

use std::sync::Arc;

use bytes::Bytes;

use super::decoding_bounds::decoding_bounds;
use crate::handler::{RequestContext, Snapshot};
use crate::record::RequestHead;
use crate::session::{Index, LivePart, Session, TruncatedKey};
use ouli_codec::content_coding::{Bounds, CodingError};
use ouli_message::Request;
use ouli_plugin::PluginFailure;

/// What the derivation of a key costs beside the bytes of its part, in bytes.
const COST_OF_KEY: u64 = 16 * 1024;

/// Derives the keys of the first parts of one request.
pub(super) struct PartKeys {
    snapshot: Arc<Snapshot>,
    session: Arc<Session>,
    endpoint: Arc<str>,
    pub(super) index: Arc<Index>,
    /// The request as it would be recorded, without its body.
    pub(super) head: Request,
    bounds: Bounds,
    /// What may still be spent (`limits.truncated_comparison`).
    left: u64,
}

impl PartKeys {
    pub(super) fn new(context: &RequestContext<'_>, index: Arc<Index>, head: &RequestHead) -> Self {
        Self {
            snapshot: Arc::clone(&context.snapshot),
            session: Arc::clone(&context.session),
            endpoint: Arc::clone(&context.endpoint.name),
            index,
            head: head.to_recorded_request(&context.endpoint.authority),
            bounds: decoding_bounds(context),
            left: context.snapshot.config.limits.truncated_comparison as u64,
        }
    }

    /// False if the limit does not allow the key of a part of this length.
    pub(super) fn may_derive(&mut self, length: u64) -> bool {
        let left = self.left.checked_sub(length.saturating_add(COST_OF_KEY));
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    /// The key of a part, if a recorded request was truncated after it. A part that cannot be
    /// decoded has none.
    pub(super) fn matching_key(
        &self,
        length: u64,
        part: &Bytes,
    ) -> Result<Option<TruncatedKey>, PluginFailure> {
        let Ok(live) = self.part(part) else {
            return Ok(None);
        };
        let secrets = self.session.secrets();
        let plugins = &self.snapshot.plugins;
        let view = plugins.view(
            Arc::clone(&self.endpoint),
            Arc::clone(self.session.name()),
            Arc::new(live.completed()),
            Arc::clone(secrets),
        )?;
        let match_key = plugins.key(&view, secrets)?;
        self.session.count_failed_matcher(&match_key);
        let key = (length, live.key_hash(match_key.key.hash()));
        Ok(self.index.has_truncated(key).then_some(key))
    }

    pub(super) fn part(&self, part: &Bytes) -> Result<LivePart, CodingError> {
        LivePart::new(self.head.clone(), part, self.bounds)
    }
}

/// The first `length` bytes of a body, or all of them.
pub(super) fn part_of(body: &[u8], length: u64) -> &[u8] {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    &body[..length.min(body.len())]
}
