//! Forwards a request to the upstream and relays the response; records a copy if configured.

use std::future::poll_fn;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::{CONTENT_TYPE, UPGRADE};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body as _;

use super::abandoned_call::AbandonedCall;
use super::arrival_log::ArrivalLog;
use super::awaiting_response::AwaitingResponse;
use super::background_read::{BackgroundReads, Interruption};
use super::body_capture::BodyCapture;
use super::detachable::{Detachable, Owned};
use super::early_response;
use super::forward::{self, ForwardedBody};
use super::pending_exchange::PendingExchange;
use super::request_head::RequestHead;
use super::request_recording::{RequestCapture, RequestRecording, tee_request};
use super::teed_response_body::TeedResponseBody;
use crate::handler::{ExchangeError, OutgoingBody, RequestBody, RequestContext};
use crate::session::{Outcome, StreamKind};
use ouli_codec::{chunks, grpc};
use ouli_config::Defect;
use ouli_message::stream::Side;
use ouli_net::http::reason_phrase;
use ouli_net::upstream::{RefusedBody, UpstreamBody};

/// Forwards the request; nothing is recorded.
pub(crate) async fn passthrough(
    context: &RequestContext<'_>,
    request: Request<RequestBody>,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let head = RequestHead::new(context, &request, false);
    let body = ForwardedBody::Passthrough(request.into_body());
    let mut response = forward::send(context, head, body).await?;
    let is_call = grpc::has_grpc_body(response.headers());
    let kind = stream_kind(response.headers(), response.body());
    let is_long_lived = is_call || matches!(kind, Some(StreamKind::Body(Some(_))));
    if is_long_lived {
        response
            .body_mut()
            .mark_streaming(idle_timeout(context, is_call));
    }
    Ok(response.map(|body| OutgoingBody::passthrough(body).long_lived(is_long_lived)))
}

/// Forwards the request and records the exchange.
pub(crate) async fn record(
    context: &RequestContext<'_>,
    request: Request<RequestBody>,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let head = RequestHead::new(context, &request, true);
    let (body, recording) = tee_request(context, &head, request.into_body().into());
    forward_and_record(context, head, body, recording, None).await
}

/// Forwards the request and records the exchange, also if the client leaves before the response.
/// With a `key`, the exchange is appended to the cassette, and the key is pending from the end of
/// the response until it is written.
pub(crate) async fn forward_and_record(
    context: &RequestContext<'_>,
    head: RequestHead,
    body: ForwardedBody,
    recording: RequestRecording,
    key: Option<u128>,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    // A call and a tunnel end with their client.
    if recording.log.is_some() || head.upgrade.is_some() {
        return exchange(context, None, (head, body), recording, key).await;
    }
    let exchange = |owned: Arc<Owned>| async move {
        let Owned {
            context,
            interruption,
        } = &*owned;
        exchange(context, Some(interruption), (head, body), recording, key).await
    };
    Detachable::new(context, exchange).await
}

async fn exchange(
    context: &RequestContext<'_>,
    interruption: Option<&OnceLock<Interruption>>,
    (head, body): (RequestHead, ForwardedBody),
    recording: RequestRecording,
    key: Option<u128>,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let request = head.to_recorded_request(&context.endpoint.authority);
    let abandoned = match (&recording.body, &recording.log) {
        (RequestCapture::Streaming(capture), Some(log)) => {
            let content_type = head.headers.get(CONTENT_TYPE);
            let captured = (capture, log);
            Some(AbandonedCall::new(
                context,
                &request,
                content_type,
                captured,
                key,
            ))
        }
        (_, _) => None,
    };
    let mut awaiting = AwaitingResponse::new(context, request, recording, key);
    if let Some(interruption) = interruption {
        awaiting = awaiting.until(interruption);
    }
    let response = forward::send(context, head, body).await;
    if let Some(abandoned) = abandoned {
        abandoned.disarm();
    }
    match response {
        Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            drop(awaiting.response_received());
            Ok(unrecorded_upgrade(context, response))
        }
        Ok(response) => {
            let (mut request, mut recording) = awaiting.response_received();
            if response.extensions().get::<RefusedBody>().is_some() {
                request.truncated_at = Some(0);
                recording = RequestRecording::empty(context);
            }
            Ok(record_response(context, request, response, recording, key).await)
        }
        Err(error) => {
            awaiting.upstream_failed(&error).await;
            Err(error)
        }
    }
}

/// A response that switches to a protocol that the gateway does not read, so that it can neither
/// redact nor replay what follows.
fn unrecorded_upgrade(
    context: &RequestContext<'_>,
    response: Response<UpstreamBody>,
) -> Response<OutgoingBody> {
    let protocol = response.headers().get(UPGRADE);
    let protocol = protocol.and_then(|protocol| protocol.to_str().ok());
    let reason = format!(
        "an upgrade to {} cannot be recorded",
        protocol.unwrap_or_default()
    );
    let session = context.session.name();
    context
        .trace
        .in_span(|| tracing::warn!(%session, "not recorded: {reason}"));
    let outcome = Outcome::Failed(Defect::Undecodable, reason);
    context.session.counters().count(outcome);
    response.map(OutgoingBody::passthrough)
}

/// Relays a response and records the exchange at its end.
pub(crate) async fn record_response(
    context: &RequestContext<'_>,
    request: ouli_message::Request,
    response: Response<UpstreamBody>,
    mut recording: RequestRecording,
    key: Option<u128>,
) -> Response<OutgoingBody> {
    let (parts, body) = response.into_parts();
    let kind = stream_kind(&parts.headers, &body);
    let (kind, log) = match recording.log.take() {
        Some(log) => (Some(StreamKind::Grpc), Some(log)),
        None => {
            let log = kind.map(|_| ArrivalLog::new(&context.handler.shared.budget).into_shared());
            (kind, log)
        }
    };
    let reason = reason_phrase(parts.status, &parts.extensions);
    let mut exchange = PendingExchange::new(context, request, (parts.status, &parts.headers), key)
        .with_reason(reason);
    let capture = BodyCapture::for_side(context, Side::Server, log.as_ref())
        .told_to(exchange.learning_secrets());
    let is_call = matches!(kind, Some(StreamKind::Grpc));
    let is_long_lived = is_call || matches!(kind, Some(StreamKind::Body(Some(_))));
    if let (Some(kind), Some(log)) = (kind, log) {
        exchange = exchange.with_stream(kind, log);
    }
    let reads = BackgroundReads::new(context);
    let read_on = (!is_long_lived).then(|| reads.clone());
    let mut tee = TeedResponseBody::new(body, capture, move |response_body| {
        early_response::finish(exchange, recording, response_body, &reads)
    });
    if let Some(reads) = read_on {
        // A stream ends when its client leaves.
        tee.read_on_in_background(reads);
    }
    if let Some(mut delivery) = tee.take_delivery() {
        poll_fn(|cx| delivery.poll(cx)).await;
    }
    if is_long_lived {
        tee.mark_streaming(idle_timeout(context, is_call));
    }
    Response::from_parts(parts, OutgoingBody::teed(tee).long_lived(is_long_lived))
}

/// The longest pause of a stream. In a call the upstream may wait for the client, so there is none.
fn idle_timeout(context: &RequestContext<'_>, is_call: bool) -> Option<Duration> {
    (!is_call).then_some(context.snapshot.config.limits.stream_idle_timeout)
}

/// The kind of a response that may be a stream: by its content type, or because its length is
/// unknown. None if it is no stream.
fn stream_kind(headers: &HeaderMap, body: &UpstreamBody) -> Option<StreamKind> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let chunk_kind = content_type.and_then(chunks::chunk_kind);
    let has_unknown_length = body.size_hint().exact().is_none() && !body.is_end_stream();
    (chunk_kind.is_some() || has_unknown_length).then_some(StreamKind::Body(chunk_kind))
}
