//! Starts the replay of a WebSocket: selects a conversation and accepts the handshake.

use std::sync::Arc;

use http::{Request, Response};
use tracing::Instrument as _;

use super::cursor::ConversationCursor;
use super::selection::{Selection, load_expected_keys, look_up};
use super::websocket::WebSocketReplay;
use super::websocket_terms::negotiate;
use crate::handler::{AccessOutcome, ExchangeError, OutgoingBody, RequestBody, RequestContext};
use crate::replay::{self, ClientCapabilities, Lookup};
use crate::session::{ClaimedEntry, ReplayQueue};
use crate::tunnel::{self, ClientHandshake, TunnelGuards, TunnelRecording};
use ouli_codec::websocket;
use ouli_message::stream::Protocol;

/// Replays a recorded WebSocket, or fails with a miss.
pub(crate) async fn replay_websocket(
    context: &RequestContext<'_>,
    request: Request<RequestBody>,
    guards: TunnelGuards,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let mut lookup = look_up_handshake(context, &request).await?;
    match Selection::of(context, &mut lookup).await? {
        Selection::Found(queue, claimed) => {
            start_replay(context, request, guards, (lookup, queue, claimed)).await
        }
        Selection::Exhausted(count) => Err(replay::miss_error(context, lookup, Some(count)).await),
        Selection::NotFound => Err(replay::miss_error(context, lookup, None).await),
    }
}

/// Replays a recorded WebSocket. Without one, opens a tunnel to the upstream and records it.
pub(crate) async fn replay_websocket_or_tunnel(
    context: &RequestContext<'_>,
    request: Request<RequestBody>,
    guards: TunnelGuards,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let mut lookup = look_up_handshake(context, &request).await?;
    let key = lookup.match_key.key.hash();
    context.session.wait_until_written(key).await;
    // Messages are compared without waiting.
    context.session.wait_until_redacted().await;
    match Selection::of(context, &mut lookup).await? {
        Selection::Found(queue, claimed) => {
            start_replay(context, request, guards, (lookup, queue, claimed)).await
        }
        Selection::Exhausted(_) | Selection::NotFound => {
            replay::check_sendable(context, lookup).await?;
            tunnel::serve(context, request, guards, TunnelRecording::On(Some(key))).await
        }
    }
}

async fn look_up_handshake(
    context: &RequestContext<'_>,
    request: &Request<RequestBody>,
) -> Result<Arc<Lookup>, ExchangeError> {
    let checked = if ClientHandshake::of(request).is_http2() {
        websocket::check_connect_request(request.method(), request.headers())
    } else {
        websocket::check_request(request.method(), request.headers())
    };
    checked.map_err(|error| ExchangeError::WebSocketHandshake(error.to_string()))?;
    let head = tunnel::handshake_head(context, request, true);
    look_up(
        context,
        tunnel::recorded_handshake(&head, &context.endpoint.authority),
    )
    .await
}

type ConversationMatch = (Arc<Lookup>, ReplayQueue, ClaimedEntry);

async fn start_replay(
    context: &RequestContext<'_>,
    mut request: Request<RequestBody>,
    guards: TunnelGuards,
    (lookup, queue, claimed): ConversationMatch,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let entry = Arc::clone(claimed.entry());
    if entry.messages(Protocol::WebSocket).is_none() {
        // The recorded upstream rejected the handshake.
        let client = ClientCapabilities::of(&request);
        return replay::serve_hit(context, claimed, &client, Some(&lookup)).await;
    }
    let expected_keys = load_expected_keys(context, &lookup, &claimed, Protocol::WebSocket).await?;
    let (fields, deflate) = negotiate(&entry.response.fields, request.headers());
    let response = ClientHandshake::of(&request).accept_response(fields);
    context
        .trace
        .set_outcome(AccessOutcome::of_hit(claimed.hit()));
    let conversation = (queue, claimed, expected_keys);
    let cursor = ConversationCursor::new(context, lookup, Protocol::WebSocket, conversation);
    let upgrade = hyper::upgrade::on(&mut request);
    let limits = context.snapshot.config.limits.clone();
    let reservation = context.handler.shared.budget.request_reservation();
    let drain = &context.handler.shared.drain;
    let shutdown = drain.signal();
    let span = context.trace.span();
    let conversation = async move {
        // An upgrade fails only if the client has disconnected.
        if let Ok(upgraded) = upgrade.await {
            let trace = guards.trace().clone();
            let socket =
                WebSocketReplay::new(upgraded, trace, deflate, cursor, (limits, reservation));
            socket.run(shutdown).await;
        }
        drop(guards);
    };
    drain.spawn(conversation.instrument(span));
    Ok(response)
}
