//! A call whose client leaves before the response begins, say because its deadline has passed.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use super::arrival_log::SharedArrivalLog;
use super::body_capture::{CapturedBody, SharedCapture};
use super::pending_exchange::PendingExchange;
use crate::handler::context::RequestContext;

use crate::session::StreamKind;
use ouli_message::stream::Ending;

/// Dropped while it waits, it records the call as one that the client ended: at replay the client
/// waits as it did then. The head of the response, which nobody saw, is that of a call to come.
pub(crate) struct AbandonedCall(Option<PendingCall>);

struct PendingCall {
    exchange: PendingExchange,
    request_body: SharedCapture,
    response_body: CapturedBody,
}

impl AbandonedCall {
    pub(crate) fn new(
        asked: &RequestContext<'_>,
        request: &ouli_message::Request,
        content_type: Option<&http::HeaderValue>,
        (sent, log): (&SharedCapture, &SharedArrivalLog),
        key: Option<u128>,
    ) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type.clone());
        }
        let draft = PendingExchange::new(asked, request.clone(), (StatusCode::OK, &headers), key);
        let reason = "the client left before the response began".to_owned();
        Self(Some(PendingCall {
            exchange: draft.with_stream(StreamKind::Grpc, Arc::clone(log)),
            request_body: Arc::clone(sent),
            response_body: CapturedBody {
                bytes: Bytes::new(),
                trailers: HeaderMap::new(),
                reservation: asked.handler.shared.budget.recording_reservation(),
                aborted: Some((Ending::ClientAborted, reason)),
                failure_cause: None,
            },
        }))
    }

    /// The response has begun, or never will.
    pub(crate) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for AbandonedCall {
    fn drop(&mut self) {
        if let Some(waiting) = self.0.take() {
            let sent = waiting.request_body.lock();
            let sent = sent.unwrap_or_else(PoisonError::into_inner).take();
            // Nobody is left to be held back for it.
            drop(waiting.exchange.finish(sent, Ok(waiting.response_body)));
        }
    }
}
