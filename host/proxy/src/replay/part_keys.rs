//! The keys of the first parts of a request.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::decoding_bounds::decoding_bounds;
use crate::handler::{RequestContext, Snapshot};
use crate::record::RequestHead;
use crate::session::{Index, LivePart, Session, TruncatedKey};
use ouli_codec::MessageView;
use ouli_codec::content_coding::{Bounds, CodingError};
use ouli_message::{Fields, Request};
use ouli_plugin::PluginFailure;

/// What the derivation of a key costs beside the bytes of its part, in bytes.
const COST_OF_KEY: u64 = 16 * 1024;

/// Derives the keys of the first parts of one request, on any thread.
pub(super) struct PartDeriver {
    snapshot: Arc<Snapshot>,
    session: Arc<Session>,
    endpoint: Arc<str>,
    pub(super) index: Arc<Index>,
    /// The request as it would be recorded, without its body.
    pub(super) head: Request,
    /// Its fields, redacted.
    fields: OnceLock<Fields>,
    bounds: Bounds,
}

/// The key of a part of a request.
pub(super) struct DerivedPart {
    /// The key, if a recorded request was truncated after such a part.
    pub(super) found: Option<TruncatedKey>,
    /// The bytes that decoding the part added.
    decoded: u64,
}

/// The keys of the first parts of one request, within `limits.truncated_comparison`.
pub(super) struct PartKeys {
    pub(super) deriver: Arc<PartDeriver>,
    /// What may still be spent once the whole body is there.
    left: u64,
    /// What may still be spent on parts of other bytes while the body arrives.
    left_early: u64,
}

/// The share of the limit for parts of other bytes while the body arrives.
const EARLY_SHARE: u64 = 16;

impl PartKeys {
    pub(super) fn new(context: &RequestContext<'_>, index: Arc<Index>, head: &RequestHead) -> Self {
        let limit = context.snapshot.config.limits.truncated_comparison as u64;
        let deriver = PartDeriver {
            snapshot: Arc::clone(&context.snapshot),
            session: Arc::clone(&context.session),
            endpoint: Arc::clone(&context.endpoint.name),
            index,
            head: head.to_recorded_request(&context.endpoint.authority),
            fields: OnceLock::new(),
            bounds: decoding_bounds(context),
        };
        Self {
            deriver: Arc::new(deriver),
            left: limit,
            left_early: limit / EARLY_SHARE,
        }
    }

    /// False if the limit does not allow the key of a part of this length.
    pub(super) fn may_derive(&mut self, length: u64) -> bool {
        spend(&mut self.left, length)
    }

    /// The same while the body arrives.
    pub(super) fn may_derive_early(&mut self, length: u64) -> bool {
        spend(&mut self.left_early, length)
    }

    /// Counts what a part cost.
    pub(super) fn count(&mut self, part: &DerivedPart) {
        self.left = self.left.saturating_sub(part.decoded);
        self.left_early = self.left_early.saturating_sub(part.decoded);
    }
}

impl PartDeriver {
    /// The key of a part. One that cannot be decoded has none.
    pub(super) fn derive(&self, length: u64, part: &Bytes) -> Result<DerivedPart, PluginFailure> {
        let Ok(live) = self.part(part) else {
            return Ok(DerivedPart {
                found: None,
                decoded: 0,
            });
        };
        let decoded = (live.body().len() as u64).saturating_sub(length);
        let view = self.view(live.completed())?;
        let secrets = self.session.secrets();
        let match_key = self.snapshot.plugins.key(&view, secrets)?;
        self.session.count_failed_matcher(&match_key);
        let key = (length, live.key_hash(match_key.key.hash()));
        let found = self.index.has_truncated(key, view.fields()).then_some(key);
        Ok(DerivedPart { found, decoded })
    }

    /// The fields of the request, redacted.
    pub(super) fn fields(&self) -> Result<&Fields, PluginFailure> {
        if let Some(fields) = self.fields.get() {
            return Ok(fields);
        }
        let view = self.view(self.head.clone())?;
        Ok(self.fields.get_or_init(|| view.fields().clone()))
    }

    fn view(&self, request: Request) -> Result<Arc<dyn MessageView>, PluginFailure> {
        self.snapshot.plugins.view(
            Arc::clone(&self.endpoint),
            Arc::clone(self.session.name()),
            Arc::new(request),
            Arc::clone(self.session.secrets()),
        )
    }

    pub(super) fn part(&self, part: &Bytes) -> Result<LivePart, CodingError> {
        LivePart::new(self.head.clone(), part, self.bounds)
    }
}

fn spend(left: &mut u64, length: u64) -> bool {
    let rest = left.checked_sub(length.saturating_add(COST_OF_KEY));
    *left = rest.unwrap_or(*left);
    rest.is_some()
}

/// The first `length` bytes of a body, or all of them.
pub(super) fn part_of(body: &[u8], length: u64) -> &[u8] {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    &body[..length.min(body.len())]
}
