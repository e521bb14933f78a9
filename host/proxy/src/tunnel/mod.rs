//! WebSockets: the handshake crosses, then bytes pass both ways untouched. While recording, a copy
//! of them is taken.

mod close_injector;
mod handshake;
mod recording_tap;
mod splice;

use http::{Request, Response, StatusCode};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;

use crate::handler::context::{Asked, Lasting, Route};
pub(crate) use crate::handler::error_response::ExchangeError;
use crate::handler::response_body::Outgoing;
use crate::record::failed_exchange::Waiting;
use crate::record::forward::Head;
use crate::record::pending_exchange::Draft;
use crate::record::relay::{self, Recorded};
pub(super) use handshake::{Asking, head, is_websocket, recorded};
use ouli_codec::websocket;
use ouli_net::http::validation;
use ouli_net::server::{Arriving, Busy};
use ouli_net::upstream::{Inbound, Upstream, Way};
use recording_tap::Tap;
use splice::Splice;

/// What a tunnel holds on to until it ends.
pub(super) struct Held {
    _busy: Busy,
    _lasting: Lasting,
}

impl Held {
    pub(super) fn new(busy: Busy, lasting: Lasting) -> Self {
        Self {
            _busy: busy,
            _lasting: lasting,
        }
    }
}

/// Whether a tunnel is recorded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keep {
    /// Nothing is kept.
    Nothing,
    /// It is recorded; with a key it is appended to the cassette.
    Recording(Option<u128>),
}

/// Asks the upstream for a tunnel. Nothing of what the client sends goes up before the upstream
/// has agreed.
pub(super) async fn serve(
    asked: &Asked<'_>,
    mut request: Request<Arriving>,
    held: Held,
    keep: Keep,
) -> Result<Response<Outgoing>, ExchangeError> {
    let Some(route) = &asked.endpoint.upstream else {
        return Err(ExchangeError::NoUpstream(asked.endpoint.name.to_string()));
    };
    let asking = Asking::of(&request);
    let recording = matches!(keep, Keep::Recording(_));
    let head = head(asked, &request, recording);
    let client = route.client(asked.gate);
    let waiting = match keep {
        Keep::Nothing => None,
        Keep::Recording(key) => {
            let request = recorded(&head, &asked.endpoint.authority);
            let sent = Recorded::nothing(asked);
            Some(Waiting::new(asked, request, sent, key))
        }
    };
    let (mut response, agreed) = match ask(client, route, &head).await {
        Ok(answered) => {
            drop(waiting.map(Waiting::answered));
            answered
        }
        Err(error) => {
            if let Some(waiting) = waiting {
                waiting.failed(error.fault()).await;
            }
            return Err(error);
        }
    };
    if !agreed {
        validation::check_response(&response).map_err(|error| client.wrong_answer(&error))?;
        return Ok(refused(asked, &head, response, keep).await);
    }
    let shown = handshake::shown(response.headers());
    let limits = &asked.snapshot.config.limits;
    let bounds = splice::Bounds {
        idle: limits.stream_idle_timeout,
        close: limits.websocket_close_timeout,
    };
    let tap = match keep {
        Keep::Nothing => Tap::Nothing,
        Keep::Recording(key) => {
            let request = recorded(&head, &asked.endpoint.authority);
            let answer = (StatusCode::SWITCHING_PROTOCOLS, &shown);
            let draft = Draft::new(asked, request, answer, key);
            Tap::recording(asked, draft)
        }
    };
    let above = hyper::upgrade::on(&mut response);
    let below = hyper::upgrade::on(&mut request);
    let stop = asked.gate.live.drain.stop();
    asked.gate.live.drain.spawn(async move {
        let _held = held;
        // Who is gone before the tunnel stands sees so itself.
        let (Ok(below), Ok(above)) = (below.await, above.await) else {
            return;
        };
        Splice::new(socket(below), socket(above), tap, bounds)
            .run(stop)
            .await;
    });
    Ok(asking.agree(shown))
}

/// The upstream's answer to the handshake, and whether it agrees to the tunnel.
async fn ask(
    client: &Upstream,
    route: &Route,
    head: &Head,
) -> Result<(Response<Inbound>, bool), ExchangeError> {
    let opened = client.open_tunnel().await?;
    let way = opened.way();
    let upward = handshake::upward(route, head, way)?;
    let sent = upward.headers().clone();
    let response = client.ask_tunnel(opened, upward).await?;
    let (status, fields) = (response.status(), response.headers());
    let agreed = match way {
        Way::Upgrade => status == StatusCode::SWITCHING_PROTOCOLS,
        Way::Connect => status.is_success(),
    };
    if agreed {
        let checked = match way {
            Way::Upgrade => websocket::check_response(&sent, status, fields),
            Way::Connect => websocket::check_connect_response(&sent, status, fields),
        };
        checked.map_err(|error| client.wrong_tunnel(error.to_string()))?;
    }
    Ok((response, agreed))
}

fn socket(upgraded: Upgraded) -> TokioIo<Upgraded> {
    TokioIo::new(upgraded)
}

/// The upstream's own answer to the handshake, such as 401. It is an exchange like any other.
async fn refused(
    asked: &Asked<'_>,
    head: &Head,
    mut response: Response<Inbound>,
    keep: Keep,
) -> Response<Outgoing> {
    let headers = std::mem::take(response.headers_mut());
    *response.headers_mut() = ouli_net::http::forwarding::response(headers);
    match keep {
        Keep::Nothing => response.map(Outgoing::passing),
        Keep::Recording(key) => {
            let request = recorded(head, &asked.endpoint.authority);
            let sent = Recorded::nothing(asked);
            relay::record_response(asked, request, response, sent, key).await
        }
    }
}
