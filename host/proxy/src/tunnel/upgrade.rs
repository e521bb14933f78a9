//! Upgrades to protocols other than WebSocket, such as `tcp` (docker attach) and `SPDY/3.1`
//! (kubectl exec): after the upstream's 101 response the bytes pass unread (RFC 9110, section 7.8).

use http::{Request, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tracing::Instrument as _;

use super::client_io::ClientIo;
use super::guards::TunnelGuards;
use super::splice::{Splice, TunnelTimeouts};
use crate::handler::{OutgoingBody, RequestBody, RequestContext};
use ouli_config::Mode;
use ouli_net::http::upgrade;

/// The client's side of an upgrade that its request offers.
pub(crate) struct ClientUpgrade(OnUpgrade);

impl ClientUpgrade {
    /// The offer of a request, if it has one. A replay accepts none.
    pub(crate) fn of(
        context: &RequestContext<'_>,
        request: &mut Request<RequestBody>,
    ) -> Option<Self> {
        if context.endpoint.configured.mode == Mode::Replay {
            return None;
        }
        upgrade::offered_protocols(request)?;
        Some(Self(hyper::upgrade::on(request)))
    }

    /// Opens the tunnel if the response accepts the offer. Any other response stays as it is.
    pub(crate) fn finish(
        self,
        context: &RequestContext<'_>,
        mut response: Response<OutgoingBody>,
        guards: TunnelGuards,
    ) -> Response<OutgoingBody> {
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return response;
        }
        // A side that is done sending may wait for the other one for as long as any tunnel.
        let idle = context.snapshot.config.limits.stream_idle_timeout;
        let timeouts = TunnelTimeouts { idle, close: idle };
        let server_upgrade = hyper::upgrade::on(&mut response);
        let drain = &context.handler.shared.drain;
        let shutdown = drain.signal();
        let span = context.trace.span();
        let tunnel = async move {
            // An upgrade fails only if the peer has disconnected.
            let (Ok(client), Ok(server)) = (self.0.await, server_upgrade.await) else {
                return;
            };
            let client = ClientIo::new(client, guards.trace().clone());
            let splice = Splice::opaque(client, TokioIo::new(server), timeouts);
            splice.run(shutdown).await;
            drop(guards);
        };
        drain.spawn(tunnel.instrument(span));
        response
    }
}
