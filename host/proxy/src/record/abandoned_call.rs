//! A call whose client leaves before the response begins, say because its deadline has passed.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use super::arrival_log::SharedLog;
use super::body_capture::{Shared, Taken};
use super::pending_exchange::Draft;
use crate::handler::context::Asked;

use crate::session::Kind;
use ouli_message::stream::Ending;

/// Dropped while it waits, it records the call as one that the client ended: at replay the client
/// waits as it did then. The head of the response, which nobody saw, is that of a call to come.
pub(crate) struct Unanswered(Option<Waiting>);

struct Waiting {
    draft: Draft,
    sent: Shared,
    nothing: Taken,
}

impl Unanswered {
    pub(crate) fn new(
        asked: &Asked<'_>,
        request: &ouli_message::Request,
        content_type: Option<&http::HeaderValue>,
        (sent, log): (&Shared, &SharedLog),
        key: Option<u128>,
    ) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type.clone());
        }
        let draft = Draft::new(asked, request.clone(), (StatusCode::OK, &headers), key);
        let reason = "the client left before the response began".to_owned();
        Self(Some(Waiting {
            draft: draft.flowing(Kind::Grpc, Arc::clone(log)),
            sent: Arc::clone(sent),
            nothing: Taken {
                bytes: Bytes::new(),
                trailers: HeaderMap::new(),
                hold: asked.gate.live.budget.hold(),
                cut: Some((Ending::Client, reason)),
                fault: None,
            },
        }))
    }

    /// The response has begun, or never will.
    pub(crate) fn over(mut self) {
        self.0 = None;
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(waiting) = self.0.take() {
            let sent = waiting.sent.lock();
            let sent = sent.unwrap_or_else(PoisonError::into_inner).take();
            // Nobody is left to be held back for it.
            drop(waiting.draft.finish(sent, Ok(waiting.nothing)));
        }
    }
}
