//! WebSockets: the handshake crosses, then bytes pass both ways untouched. While recording, a copy
//! of them is taken.

mod close_injector;
mod handshake;
mod recording_tap;
mod splice;

use http::{Request, Response, StatusCode};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;

use crate::handler::context::{RequestContext, Route, StreamPermit};
pub(crate) use crate::handler::error_response::ExchangeError;
use crate::handler::response_body::OutgoingBody;
use crate::record::failed_exchange::AwaitingResponse;
use crate::record::forward::RequestHead;
use crate::record::pending_exchange::PendingExchange;
use crate::record::relay::{self, RequestRecording};
pub(super) use handshake::{ClientHandshake, handshake_head, is_websocket, recorded_handshake};
use ouli_codec::websocket;
use ouli_net::http::validation;
use ouli_net::server::{IncomingBody, RequestGuard};
use ouli_net::upstream::{TunnelMethod, UpstreamBody, UpstreamClient};
use recording_tap::Tap;
use splice::Splice;

/// What a tunnel holds on to until it ends.
pub(super) struct TunnelGuards {
    _request_guard: RequestGuard,
    _stream_permit: StreamPermit,
}

impl TunnelGuards {
    pub(super) fn new(busy: RequestGuard, lasting: StreamPermit) -> Self {
        Self {
            _request_guard: busy,
            _stream_permit: lasting,
        }
    }
}

/// Whether a tunnel is recorded.
#[derive(Clone, Copy, Debug)]
pub(super) enum TunnelRecording {
    /// Nothing is kept.
    Off,
    /// It is recorded; with a key it is appended to the cassette.
    On(Option<u128>),
}

/// Asks the upstream for a tunnel. Nothing of what the client sends goes up before the upstream
/// has agreed.
pub(super) async fn serve(
    asked: &RequestContext<'_>,
    mut request: Request<IncomingBody>,
    held: TunnelGuards,
    keep: TunnelRecording,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let Some(route) = &asked.endpoint.upstream else {
        return Err(ExchangeError::NoUpstream(asked.endpoint.name.to_string()));
    };
    let asking = ClientHandshake::of(&request);
    let recording = matches!(keep, TunnelRecording::On(_));
    let head = handshake_head(asked, &request, recording);
    let client = route.client(asked.handler);
    let waiting = match keep {
        TunnelRecording::Off => None,
        TunnelRecording::On(key) => {
            let request = recorded_handshake(&head, &asked.endpoint.authority);
            let sent = RequestRecording::empty(asked);
            Some(AwaitingResponse::new(asked, request, sent, key))
        }
    };
    let (mut response, agreed) = match upstream_handshake(client, route, &head).await {
        Ok(answered) => {
            drop(waiting.map(AwaitingResponse::answered));
            answered
        }
        Err(error) => {
            if let Some(waiting) = waiting {
                waiting.upstream_failed(error.failure_cause()).await;
            }
            return Err(error);
        }
    };
    if !agreed {
        validation::validate_response(&response)
            .map_err(|error| client.invalid_response(&error))?;
        return Ok(forward_rejection(asked, &head, response, keep).await);
    }
    let shown = handshake::end_to_end_headers(response.headers());
    let limits = &asked.snapshot.config.limits;
    let bounds = splice::TunnelTimeouts {
        idle: limits.stream_idle_timeout,
        close: limits.websocket_close_timeout,
    };
    let tap = match keep {
        TunnelRecording::Off => Tap::Off,
        TunnelRecording::On(key) => {
            let request = recorded_handshake(&head, &asked.endpoint.authority);
            let answer = (StatusCode::SWITCHING_PROTOCOLS, &shown);
            let draft = PendingExchange::new(asked, request, answer, key);
            Tap::recording(asked, draft)
        }
    };
    let above = hyper::upgrade::on(&mut response);
    let below = hyper::upgrade::on(&mut request);
    let stop = asked.handler.shared.drain.signal();
    asked.handler.shared.drain.spawn(async move {
        let _held = held;
        // Who is gone before the tunnel stands sees so itself.
        let (Ok(below), Ok(above)) = (below.await, above.await) else {
            return;
        };
        Splice::new(tokio_io(below), tokio_io(above), tap, bounds)
            .run(stop)
            .await;
    });
    Ok(asking.accept_response(shown))
}

/// The upstream's answer to the handshake, and whether it agrees to the tunnel.
async fn upstream_handshake(
    client: &UpstreamClient,
    route: &Route,
    head: &RequestHead,
) -> Result<(Response<UpstreamBody>, bool), ExchangeError> {
    let opened = client.open_tunnel().await?;
    let way = opened.method();
    let upward = handshake::upstream_request(route, head, way)?;
    let sent = upward.headers().clone();
    let response = client.request_tunnel(opened, upward).await?;
    let (status, fields) = (response.status(), response.headers());
    let agreed = match way {
        TunnelMethod::Upgrade => status == StatusCode::SWITCHING_PROTOCOLS,
        TunnelMethod::ExtendedConnect => status.is_success(),
    };
    if agreed {
        let checked = match way {
            TunnelMethod::Upgrade => websocket::check_response(&sent, status, fields),
            TunnelMethod::ExtendedConnect => {
                websocket::check_connect_response(&sent, status, fields)
            }
        };
        checked.map_err(|error| client.invalid_tunnel(error.to_string()))?;
    }
    Ok((response, agreed))
}

fn tokio_io(upgraded: Upgraded) -> TokioIo<Upgraded> {
    TokioIo::new(upgraded)
}

/// The upstream's own answer to the handshake, such as 401. It is an exchange like any other.
async fn forward_rejection(
    asked: &RequestContext<'_>,
    head: &RequestHead,
    mut response: Response<UpstreamBody>,
    keep: TunnelRecording,
) -> Response<OutgoingBody> {
    let headers = std::mem::take(response.headers_mut());
    *response.headers_mut() = ouli_net::http::forwarding::response_headers(headers);
    match keep {
        TunnelRecording::Off => response.map(OutgoingBody::passthrough),
        TunnelRecording::On(key) => {
            let request = recorded_handshake(head, &asked.endpoint.authority);
            let sent = RequestRecording::empty(asked);
            relay::record_response(asked, request, response, sent, key).await
        }
    }
}
