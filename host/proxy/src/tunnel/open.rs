//! Opens a tunnel: the handshake with the upstream, then the copy of bytes in a task.

use http::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tracing::Instrument as _;

use super::client_io::ClientIo;
use super::guards::TunnelGuards;
use super::handshake::{self, ClientHandshake, handshake_head, recorded_handshake};
use super::recording_tap::Tap;
use super::splice::{Splice, TunnelTimeouts};
use crate::handler::{
    AccessOutcome, ExchangeError, OutgoingBody, RequestBody, RequestContext, Route,
};
use crate::record::{self, AwaitingResponse, PendingExchange, RequestHead, RequestRecording};
use ouli_codec::websocket;
use ouli_net::http::{forwarding, validation};
use ouli_net::upstream::{Http1Outcome, TunnelMethod, UpstreamBody, UpstreamClient};

/// Whether a tunnel is recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TunnelRecording {
    /// Nothing is recorded.
    Off,
    /// It is recorded; with a key it is appended to the cassette.
    On(Option<u128>),
}

/// Opens a tunnel to the upstream. No bytes of the client are forwarded before the upstream accepts
/// the handshake.
pub(crate) async fn serve(
    context: &RequestContext<'_>,
    request: Request<RequestBody>,
    guards: TunnelGuards,
    recording: TunnelRecording,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let (route, client) = context.upstream()?;
    let is_recorded = matches!(recording, TunnelRecording::On(_));
    let head = handshake_head(context, &request, is_recorded);
    let awaiting = match recording {
        TunnelRecording::Off => None,
        TunnelRecording::On(key) => {
            let request = recorded_handshake(&head, &context.endpoint.authority);
            let body = RequestRecording::empty(context);
            Some(AwaitingResponse::new(context, request, body, key))
        }
    };
    let (response, is_accepted) = match upstream_handshake(context, client, route, &head).await {
        Ok(response) => {
            drop(awaiting.map(AwaitingResponse::response_received));
            response
        }
        Err(error) => {
            if let Some(awaiting) = awaiting {
                awaiting.upstream_failed(&error).await;
            }
            return Err(error);
        }
    };
    if !is_accepted {
        return Ok(forward_rejection(context, &head, response, recording).await);
    }
    let headers = handshake::end_to_end_headers(response.headers());
    let tap = match recording {
        TunnelRecording::Off => Tap::Off,
        TunnelRecording::On(key) => {
            let request = recorded_handshake(&head, &context.endpoint.authority);
            let head = (StatusCode::SWITCHING_PROTOCOLS, &headers);
            let exchange = PendingExchange::new(context, request, head, key);
            Tap::recording(context, exchange)
        }
    };
    Ok(accept(context, (request, response), guards, (headers, tap)))
}

/// Accepts the client's handshake, and copies bytes in a task once both connections are upgraded.
fn accept(
    context: &RequestContext<'_>,
    (mut request, mut response): (Request<RequestBody>, Response<UpstreamBody>),
    guards: TunnelGuards,
    (headers, tap): (HeaderMap, Tap),
) -> Response<OutgoingBody> {
    let limits = &context.snapshot.config.limits;
    let timeouts = TunnelTimeouts {
        idle: limits.stream_idle_timeout,
        close: limits.websocket_close_timeout,
    };
    let client_handshake = ClientHandshake::of(&request);
    let server_upgrade = hyper::upgrade::on(&mut response);
    let client_upgrade = hyper::upgrade::on(&mut request);
    let drain = &context.handler.shared.drain;
    let shutdown = drain.signal();
    context.trace.set_outcome(AccessOutcome::Passed);
    let span = context.trace.span();
    let tunnel = async move {
        // An upgrade fails only if the peer has disconnected.
        let (Ok(client), Ok(server)) = (client_upgrade.await, server_upgrade.await) else {
            return;
        };
        let client = ClientIo::new(client, guards.trace().clone());
        let server = TokioIo::new(server);
        Splice::websocket(client, server, tap, timeouts)
            .run(shutdown)
            .await;
        drop(guards);
    };
    drain.spawn(tunnel.instrument(span));
    client_handshake.accept_response(headers)
}

/// The upstream's response to the handshake, and whether it accepts the tunnel.
async fn upstream_handshake(
    context: &RequestContext<'_>,
    client: &UpstreamClient,
    route: &Route,
    head: &RequestHead,
) -> Result<(Response<UpstreamBody>, bool), ExchangeError> {
    let (response, request_headers, method) = request_tunnel(context, client, route, head).await?;
    context.pin_upstream_if_challenged(response.status(), response.headers());
    let (status, headers) = (response.status(), response.headers());
    let is_accepted = match method {
        TunnelMethod::Upgrade => status == StatusCode::SWITCHING_PROTOCOLS,
        TunnelMethod::ExtendedConnect => status.is_success(),
    };
    if is_accepted {
        let checked = match method {
            TunnelMethod::Upgrade => websocket::check_response(&request_headers, status, headers),
            TunnelMethod::ExtendedConnect => {
                websocket::check_connect_response(&request_headers, status, headers)
            }
        };
        checked.map_err(|error| client.invalid_tunnel(error.to_string()))?;
    } else {
        validation::validate_response(&response)
            .map_err(|error| client.invalid_response(&error))?;
    }
    Ok((response, is_accepted))
}

/// Sends the handshake: on the client's own connection if it logs in to one, else on a new one.
async fn request_tunnel(
    context: &RequestContext<'_>,
    client: &UpstreamClient,
    route: &Route,
    head: &RequestHead,
) -> Result<(Response<UpstreamBody>, HeaderMap, TunnelMethod), ExchangeError> {
    if let Some(pinned) = context.pinned_upstream(&head.headers) {
        let method = TunnelMethod::Upgrade;
        let request = handshake::upstream_request(route, head, method)?;
        let headers = request.headers().clone();
        let outcome = client.send_http1(Some(pinned), request).await?;
        if let Http1Outcome::Response(response) = outcome {
            return Ok((*response, headers, method));
        }
    }
    let connection = client.open_tunnel().await?;
    let method = connection.method();
    let request = handshake::upstream_request(route, head, method)?;
    let headers = request.headers().clone();
    let response = client.request_tunnel(connection, request).await?;
    Ok((response, headers, method))
}

/// Forwards a response that rejects the handshake, such as 401. It is an exchange like any other.
async fn forward_rejection(
    context: &RequestContext<'_>,
    head: &RequestHead,
    mut response: Response<UpstreamBody>,
    recording: TunnelRecording,
) -> Response<OutgoingBody> {
    let headers = std::mem::take(response.headers_mut());
    *response.headers_mut() = forwarding::response_headers(headers);
    match recording {
        TunnelRecording::Off => response.map(OutgoingBody::passthrough),
        TunnelRecording::On(key) => {
            let request = recorded_handshake(head, &context.endpoint.authority);
            let body = RequestRecording::empty(context);
            record::record_response(context, request, response, body, key).await
        }
    }
}
