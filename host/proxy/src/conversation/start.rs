//! A WebSocket that is asked for at replay: which conversation it gets, and how that begins.

use std::sync::Arc;

use http::{Request, Response};

use super::websocket::Socket;
use super::websocket_terms::agree;
use super::{Cast, Cursor, look_up, script};
use crate::handler::context::Asked;
pub(crate) use crate::handler::error_response::ExchangeError;
use crate::handler::response_body::Outgoing;
use crate::replay::answer::{self, LookedUp, Wanted};
use crate::session::{Chosen, Line};
use crate::tunnel::{self, Asking, Held, Keep};
use ouli_codec::websocket;
use ouli_message::stream::Protocol;
use ouli_net::server::Arriving;

/// Replays a WebSocket, or says why there is none to replay.
pub(crate) async fn socket(
    asked: &Asked<'_>,
    request: Request<Arriving>,
    held: Held,
) -> Result<Response<Outgoing>, ExchangeError> {
    let looked_up = recorded(asked, &request).await?;
    match Cast::of(asked, &looked_up) {
        Cast::Chosen(line, chosen) => begin(asked, request, held, (looked_up, line, chosen)).await,
        Cast::Spent(count) => Err(answer::miss(asked, &looked_up, Some(count))),
        Cast::Nothing => Err(answer::miss(asked, &looked_up, None)),
    }
}

/// Replays a WebSocket where one is recorded; else asks the upstream for it and records it.
pub(crate) async fn socket_or_tunnel(
    asked: &Asked<'_>,
    request: Request<Arriving>,
    held: Held,
) -> Result<Response<Outgoing>, ExchangeError> {
    let looked_up = recorded(asked, &request).await?;
    let key = looked_up.keyed.key.hash();
    asked.session.settled(key).await;
    match Cast::of(asked, &looked_up) {
        Cast::Chosen(line, chosen) => begin(asked, request, held, (looked_up, line, chosen)).await,
        Cast::Spent(_) | Cast::Nothing => {
            tunnel::serve(asked, request, held, Keep::Recording(Some(key))).await
        }
    }
}

async fn recorded(
    asked: &Asked<'_>,
    request: &Request<Arriving>,
) -> Result<Arc<LookedUp>, ExchangeError> {
    let checked = if Asking::of(request).is_http2() {
        websocket::check_connect_request(request.method(), request.headers())
    } else {
        websocket::check_request(request.method(), request.headers())
    };
    checked.map_err(|error| ExchangeError::Handshake(error.to_string()))?;
    let head = tunnel::head(asked, request, true);
    look_up(asked, tunnel::recorded(&head, &asked.endpoint.authority)).await
}

type Found = (Arc<LookedUp>, Line, Chosen);

async fn begin(
    asked: &Asked<'_>,
    mut request: Request<Arriving>,
    held: Held,
    (looked_up, line, chosen): Found,
) -> Result<Response<Outgoing>, ExchangeError> {
    let entry = Arc::clone(chosen.entry());
    if entry.turns(Protocol::WebSocket).is_none() {
        // The upstream refused the handshake when it was recorded.
        return answer::hit(asked, &entry, &Wanted::of(&request)).await;
    }
    let script = script(&looked_up, &chosen, Protocol::WebSocket).await?;
    let (fields, deflate) = agree(&entry.response.fields, request.headers());
    let answer = Asking::of(&request).agree(fields);
    let chosen = (line, chosen, script);
    let cursor = Cursor::new(asked, looked_up, Protocol::WebSocket, chosen);
    let below = hyper::upgrade::on(&mut request);
    let limits = asked.snapshot.config.limits.clone();
    let hold = asked.gate.live.budget.hold_to_answer();
    let drain = &asked.gate.live.drain;
    let stop = drain.stop();
    drain.spawn(async move {
        let _held = held;
        // Who is gone before the tunnel stands sees so itself.
        if let Ok(upgraded) = below.await {
            let socket = Socket::new(upgraded, deflate, cursor, (limits, hold));
            socket.run(stop).await;
        }
    });
    Ok(answer)
}
