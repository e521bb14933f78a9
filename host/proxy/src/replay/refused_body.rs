//! Requests with `expect: 100-continue` whose recorded upstream responded without the body (RFC
//! 9110, section 10.1.1): they are found without it, so the client is not asked for it either.

use bytes::Bytes;
use http::{Method, Request};

use super::decoding_bounds::decoding_bounds;
use super::lookup::{Lookup, exhausted_policy, look_up_request};
use crate::handler::{ExchangeError, RequestBody, RequestContext};
use crate::record::RequestHead;
use crate::session::{ClaimedEntry, ExhaustedPolicy, LivePart, LookupResult};
use ouli_net::http::expects_continue;

/// The lookup of a request without its body.
pub(super) struct RefusedBodyLookup {
    lookup: Lookup,
    method: Method,
}

impl RefusedBodyLookup {
    /// None if the client has sent the body or sends it anyway.
    pub(super) async fn of(
        context: &RequestContext<'_>,
        request: &Request<RequestBody>,
    ) -> Result<Option<Self>, ExchangeError> {
        if !expects_continue(request) {
            return Ok(None);
        }
        let head = RequestHead::new(context, request, true);
        let method = head.method.clone();
        let head = head.to_recorded_request(&context.endpoint.authority);
        let bounds = decoding_bounds(context);
        let Ok(part) = LivePart::new(head, &Bytes::new(), bounds) else {
            return Ok(None);
        };
        let lookup = look_up_request(context, part.completed()).await?;
        Ok(Some(Self { lookup, method }))
    }

    /// The next exchange that was not replayed. If no exchange with a body may follow it, the last
    /// one is repeated as configured.
    pub(super) fn next(&self, context: &RequestContext<'_>) -> Option<ClaimedEntry> {
        let next = self.find(ExhaustedPolicy::Miss);
        next.or_else(|| {
            let may_follow = self.lookup.index.has_body_for(&self.method);
            (!may_follow).then(|| self.repeat(context)).flatten()
        })
    }

    /// The exchange to repeat, for a request that is not recorded with its body either.
    pub(super) fn repeat(&self, context: &RequestContext<'_>) -> Option<ClaimedEntry> {
        self.find(exhausted_policy(context))
    }

    fn find(&self, exhausted: ExhaustedPolicy) -> Option<ClaimedEntry> {
        let (key, fields) = (
            &self.lookup.match_key.key,
            self.lookup.request_view.fields(),
        );
        match self.lookup.index.find_refused_body(key, fields, exhausted) {
            LookupResult::Hit(claimed) => Some(claimed),
            LookupResult::Exhausted(_)
            | LookupResult::NotFound
            | LookupResult::OtherIdentity(_) => None,
        }
    }
}
