//! A gRPC call whose client leaves before the response begins, for example at its deadline.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use super::arrival_log::SharedArrivalLog;
use super::body_capture::{CapturedBody, SharedCapture};
use super::pending_exchange::PendingExchange;
use crate::handler::RequestContext;
use crate::session::StreamKind;
use ouli_message::stream::Ending;

/// Dropped while armed, it records the call as ended by the client: at replay the client waits
/// again. The response head that never arrived is recorded as that of a successful call.
pub(super) struct AbandonedCall(Option<PendingCall>);

struct PendingCall {
    exchange: PendingExchange,
    request_body: SharedCapture,
    response_body: CapturedBody,
}

impl AbandonedCall {
    pub(super) fn new(
        context: &RequestContext<'_>,
        request: &ouli_message::Request,
        content_type: Option<&http::HeaderValue>,
        (request_capture, log): (&SharedCapture, &SharedArrivalLog),
        key: Option<u128>,
    ) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type.clone());
        }
        let exchange =
            PendingExchange::new(context, request.clone(), (StatusCode::OK, &headers), key);
        let reason = "the client left before the response began".to_owned();
        Self(Some(PendingCall {
            exchange: exchange.with_stream(StreamKind::Grpc, Arc::clone(log)),
            request_body: Arc::clone(request_capture),
            response_body: CapturedBody {
                bytes: Bytes::new(),
                trailers: HeaderMap::new(),
                reservation: context.handler.shared.budget.recording_reservation(),
                aborted: Some((Ending::ClientAborted, reason)),
                failure_cause: None,
            },
        }))
    }

    /// The response has begun, or the upstream has failed.
    pub(super) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for AbandonedCall {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            let request_body = call.request_body.lock().take();
            // There is no client to slow down, so the delivery continues detached.
            drop(call.exchange.finish(request_body, Ok(call.response_body)));
        }
    }
}
