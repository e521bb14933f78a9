//! Asks the upstream and passes its answer on; while recording, a copy goes to the cassette.

use std::future::poll_fn;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response};
use http_body::Body as _;

use super::abandoned_call::AbandonedCall;
use super::arrival_log::{ArrivalLog, SharedArrivalLog};
use super::body_capture::{BodyCapture, CaptureError, CaptureLimits, CapturedBody, SharedCapture};
use super::failed_exchange::AwaitingResponse;
use super::forward::{self, ForwardedBody, RequestHead};
use super::pending_exchange::{CaptureResult, PendingExchange};
use super::reclaimable_body::BodyReclaimer;
use super::tee_body::{PrefixedBody, TeedResponseBody};
use crate::handler::buffered_body::BufferedBody;
use crate::handler::context::RequestContext;
pub(crate) use crate::handler::error_response::ExchangeError;
use crate::handler::response_body::OutgoingBody;
use crate::session::{MemoryReservation, StreamKind};
use ouli_codec::{chunks, grpc};
use ouli_message::stream::Side;
use ouli_net::server::IncomingBody;
use ouli_net::upstream::UpstreamBody;

/// Asks the upstream; nothing is kept.
pub(crate) async fn passthrough(
    asked: &RequestContext<'_>,
    request: Request<IncomingBody>,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let head = forward::request_head(asked, &request, false);
    let body = ForwardedBody::Passthrough(request.into_body());
    let mut response = forward::send(asked, head, body).await?;
    let call = grpc::has_grpc_body(response.headers());
    let kind = stream_unit(response.headers(), response.body());
    let lasts = call || matches!(kind, Some(Some(_)));
    if lasts {
        response
            .body_mut()
            .mark_streaming(idle_timeout(asked, call));
    }
    Ok(response.map(|body| OutgoingBody::passthrough(body).long_lived(lasts)))
}

/// Asks the upstream; the exchange is recorded.
pub(crate) async fn record(
    asked: &RequestContext<'_>,
    request: Request<IncomingBody>,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let head = forward::request_head(asked, &request, true);
    let (body, sent) = tee_request(asked, &head, request.into_body().into());
    forward_and_record(asked, head, body, sent, None).await
}

/// A body as it is sent, and as the recording gets it.
pub(crate) fn tee_request(
    asked: &RequestContext<'_>,
    head: &RequestHead,
    body: PrefixedBody,
) -> (ForwardedBody, RequestRecording) {
    let budget = &asked.handler.shared.budget;
    let log = grpc::has_grpc_body(&head.headers).then(|| ArrivalLog::new(budget).into_shared());
    if body.is_end_stream() && log.is_none() {
        return (
            ForwardedBody::Full(Bytes::new()),
            RequestRecording::empty(asked),
        );
    }
    let copy = new_capture(asked, Side::Client, log.as_ref()).into_shared();
    // The messages of a call may go on until it is answered.
    let wanted = asked.endpoint.configured.record_failures && log.is_none();
    let (back, rest) = wanted.then(BodyReclaimer::channel).unzip();
    let teed = ForwardedBody::Teed(body, Arc::clone(&copy), back);
    let body = RequestCapture::Streaming(copy);
    (
        teed,
        RequestRecording {
            body,
            log,
            unsent_body: rest,
        },
    )
}

fn new_capture(
    asked: &RequestContext<'_>,
    side: Side,
    log: Option<&SharedArrivalLog>,
) -> BodyCapture {
    let terms = CaptureLimits::from(&*asked.snapshot.config);
    let copy = BodyCapture::new(terms, &asked.handler.shared.budget);
    match log {
        Some(log) => copy.with_arrival_log(side, Arc::clone(log)),
        None => copy,
    }
}

/// What the recording gets of a request.
pub(crate) struct RequestRecording {
    pub(crate) body: RequestCapture,
    /// The log of a call.
    pub(crate) log: Option<SharedArrivalLog>,
    /// What an upstream that fails did not take of the body.
    pub(crate) unsent_body: Option<BodyReclaimer>,
}

impl RequestRecording {
    /// No body.
    pub(crate) fn empty(asked: &RequestContext<'_>) -> Self {
        Self::with_bytes(
            Bytes::new(),
            asked.handler.shared.budget.recording_reservation(),
        )
    }

    /// A body that was read before it is sent. Where it is to be held back for room, this waits.
    pub(crate) async fn buffered(asked: &RequestContext<'_>, held: &mut BufferedBody) -> Self {
        match held.reserve_for_recording(asked).await {
            Some(hold) => Self::with_bytes(held.bytes.clone(), hold),
            None => Self::with_result(Err(CaptureError::recorder_memory_full())),
        }
    }

    fn with_bytes(bytes: Bytes, hold: MemoryReservation) -> Self {
        Self::with_result(Ok(CapturedBody {
            bytes,
            trailers: HeaderMap::new(),
            reservation: hold,
            aborted: None,
            failure_cause: None,
        }))
    }

    fn with_result(half: CaptureResult) -> Self {
        Self {
            body: RequestCapture::Buffered(half),
            log: None,
            unsent_body: None,
        }
    }
}

/// The request's body as the recording gets it.
pub(crate) enum RequestCapture {
    /// It was read before it was sent.
    Buffered(CaptureResult),
    /// It is copied while it is sent.
    Streaming(SharedCapture),
}

impl RequestCapture {
    pub(crate) fn take(self) -> CaptureResult {
        match self {
            Self::Buffered(half) => half,
            Self::Streaming(copy) => copy.lock().unwrap_or_else(PoisonError::into_inner).take(),
        }
    }
}

/// Sends the request and records the exchange. With `key`, the recording is appended, and the key
/// is held as pending from the end of the response until it is written.
pub(crate) async fn forward_and_record(
    asked: &RequestContext<'_>,
    head: RequestHead,
    body: ForwardedBody,
    sent: RequestRecording,
    key: Option<u128>,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let request = head.to_recorded_request(&asked.endpoint.authority);
    let unanswered = match (&sent.body, &sent.log) {
        (RequestCapture::Streaming(copy), Some(log)) => {
            let content_type = head.headers.get(CONTENT_TYPE);
            let both = (copy, log);
            Some(AbandonedCall::new(asked, &request, content_type, both, key))
        }
        (_, _) => None,
    };
    let waiting = AwaitingResponse::new(asked, request, sent, key);
    let answered = forward::send(asked, head, body).await;
    if let Some(unanswered) = unanswered {
        unanswered.disarm();
    }
    match answered {
        Ok(response) => {
            let (request, sent) = waiting.answered();
            Ok(record_response(asked, request, response, sent, key).await)
        }
        Err(error) => {
            waiting.upstream_failed(error.failure_cause()).await;
            Err(error)
        }
    }
}

/// Passes a response on and records the exchange at its end.
pub(crate) async fn record_response(
    asked: &RequestContext<'_>,
    request: ouli_message::Request,
    response: Response<UpstreamBody>,
    sent: RequestRecording,
    key: Option<u128>,
) -> Response<OutgoingBody> {
    let (parts, body) = response.into_parts();
    let kind = stream_unit(&parts.headers, &body);
    let (kind, log) = match sent.log {
        Some(log) => (Some(StreamKind::Grpc), Some(log)),
        None => {
            let log = kind.map(|_| ArrivalLog::new(&asked.handler.shared.budget).into_shared());
            (kind.map(StreamKind::Body), log)
        }
    };
    let mut draft = PendingExchange::new(asked, request, (parts.status, &parts.headers), key);
    let copy = new_capture(asked, Side::Server, log.as_ref());
    let call = matches!(kind, Some(StreamKind::Grpc));
    let lasts = call || matches!(kind, Some(StreamKind::Body(Some(_))));
    if let (Some(kind), Some(log)) = (kind, log) {
        draft = draft.with_stream(kind, log);
    }
    let sent = sent.body;
    let mut tee = TeedResponseBody::new(body, copy, move |came| draft.finish(sent.take(), came));
    if let Some(mut delivery) = tee.take_delivery() {
        poll_fn(|cx| delivery.poll(cx)).await;
    }
    if lasts {
        tee.mark_streaming(idle_timeout(asked, call));
    }
    Response::from_parts(parts, OutgoingBody::teed(tee).long_lived(lasts))
}

/// For how long a stream may pause. In a call it may be the client's turn to speak, so that the
/// silence of the upstream means nothing.
fn idle_timeout(asked: &RequestContext<'_>, call: bool) -> Option<Duration> {
    (!call).then_some(asked.snapshot.config.limits.stream_idle_timeout)
}

/// The units of a response that may be a stream: of some types those that the type has, of others
/// chunks where the length is not told. None where it is none.
fn stream_unit(
    headers: &HeaderMap,
    body: &UpstreamBody,
) -> Option<Option<ouli_message::stream::ChunkKind>> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let unit = content_type.and_then(chunks::chunk_kind);
    if unit.is_some() {
        return Some(unit);
    }
    (body.size_hint().exact().is_none() && !body.is_end_stream()).then_some(None)
}
