//! A WebSocket that is asked for at replay: which conversation it gets, and how that begins.

use std::sync::Arc;

use http::{Request, Response};

use super::websocket::WebSocketReplay;
use super::websocket_terms::negotiate;
use super::{ConversationCursor, Selection, load_expected_keys, look_up};
use crate::handler::context::RequestContext;
pub(crate) use crate::handler::error_response::ExchangeError;
use crate::handler::response_body::OutgoingBody;
use crate::replay::answer::{self, ClientCapabilities, Lookup};
use crate::session::{ClaimedEntry, ReplayQueue};
use crate::tunnel::{self, ClientHandshake, TunnelGuards, TunnelRecording};
use ouli_codec::websocket;
use ouli_message::stream::Protocol;
use ouli_net::server::IncomingBody;

/// Replays a WebSocket, or says why there is none to replay.
pub(crate) async fn replay_websocket(
    asked: &RequestContext<'_>,
    request: Request<IncomingBody>,
    held: TunnelGuards,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let looked_up = look_up_handshake(asked, &request).await?;
    match Selection::of(asked, &looked_up) {
        Selection::Found(line, chosen) => {
            start_replay(asked, request, held, (looked_up, line, chosen)).await
        }
        Selection::Exhausted(count) => Err(answer::miss_error(asked, &looked_up, Some(count))),
        Selection::NotFound => Err(answer::miss_error(asked, &looked_up, None)),
    }
}

/// Replays a WebSocket where one is recorded; else asks the upstream for it and records it.
pub(crate) async fn replay_websocket_or_tunnel(
    asked: &RequestContext<'_>,
    request: Request<IncomingBody>,
    held: TunnelGuards,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let looked_up = look_up_handshake(asked, &request).await?;
    let key = looked_up.match_key.key.hash();
    asked.session.wait_until_written(key).await;
    match Selection::of(asked, &looked_up) {
        Selection::Found(line, chosen) => {
            start_replay(asked, request, held, (looked_up, line, chosen)).await
        }
        Selection::Exhausted(_) | Selection::NotFound => {
            tunnel::serve(asked, request, held, TunnelRecording::On(Some(key))).await
        }
    }
}

async fn look_up_handshake(
    asked: &RequestContext<'_>,
    request: &Request<IncomingBody>,
) -> Result<Arc<Lookup>, ExchangeError> {
    let checked = if ClientHandshake::of(request).is_http2() {
        websocket::check_connect_request(request.method(), request.headers())
    } else {
        websocket::check_request(request.method(), request.headers())
    };
    checked.map_err(|error| ExchangeError::WebSocketHandshake(error.to_string()))?;
    let head = tunnel::handshake_head(asked, request, true);
    look_up(
        asked,
        tunnel::recorded_handshake(&head, &asked.endpoint.authority),
    )
    .await
}

type ConversationMatch = (Arc<Lookup>, ReplayQueue, ClaimedEntry);

async fn start_replay(
    asked: &RequestContext<'_>,
    mut request: Request<IncomingBody>,
    held: TunnelGuards,
    (looked_up, line, chosen): ConversationMatch,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let entry = Arc::clone(chosen.entry());
    if entry.messages(Protocol::WebSocket).is_none() {
        // The upstream refused the handshake when it was recorded.
        return answer::serve_hit(asked, &entry, &ClientCapabilities::of(&request)).await;
    }
    let script = load_expected_keys(&looked_up, &chosen, Protocol::WebSocket).await?;
    let (fields, deflate) = negotiate(&entry.response.fields, request.headers());
    let answer = ClientHandshake::of(&request).accept_response(fields);
    let chosen = (line, chosen, script);
    let cursor = ConversationCursor::new(asked, looked_up, Protocol::WebSocket, chosen);
    let below = hyper::upgrade::on(&mut request);
    let limits = asked.snapshot.config.limits.clone();
    let hold = asked.handler.shared.budget.request_reservation();
    let drain = &asked.handler.shared.drain;
    let stop = drain.signal();
    drain.spawn(async move {
        let _held = held;
        // Who is gone before the tunnel stands sees so itself.
        if let Ok(upgraded) = below.await {
            let socket = WebSocketReplay::new(upgraded, deflate, cursor, (limits, hold));
            socket.run(stop).await;
        }
    });
    Ok(answer)
}
