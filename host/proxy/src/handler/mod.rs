//! What is done with a request: record, replay, auto or passthrough. Joins the doors below for one
//! exchange.

pub(crate) mod admin_pages;
pub(crate) mod buffered_body;
pub(crate) mod context;
pub(crate) mod error_response;
pub(crate) mod request_limiter;
pub(crate) mod response_body;
mod session_selection;
pub(crate) mod shared_buffer;

pub use admin_pages::PLUGINS_PATH;
pub use context::{Endpoint, Gate, Live, Page, Route, Snapshot};
pub use error_response::ExchangeError;
pub use request_limiter::Turns;
pub use response_body::Outgoing;

use std::sync::Arc;

use http::header::CONNECTION;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, Version};
use http_body::Body as _;

use crate::tunnel::{Held, Keep};
use context::Asked;
use ouli_config::Mode;
use ouli_net::http::validation::{self, Unsound};
use ouli_net::server::{Arriving, Busy, Refusal, Respond};

impl Respond for Gate {
    type Body = Outgoing;

    async fn respond(&self, request: Request<Arriving>, busy: Busy) -> Response<Outgoing> {
        let live = &self.live;
        let (asks, version) = (error_response::Asks::of(&request), request.version());
        let permit = match live.permit().await {
            Ok(permit) => permit,
            Err(error) => {
                return error_response::answer(&error, asks)
                    .map(|body| body.holding(live, busy, None));
            }
        };
        let answer = self.serve(request, &busy).await;
        let answer = answer.unwrap_or_else(|error| {
            let error = busy.refusal().map_or(error, ExchangeError::Refused);
            error_response::log(&error);
            let mut response = error_response::answer(&error, asks);
            if version < Version::HTTP_2 && matches!(error, ExchangeError::Unsound(_)) {
                // What else came on this connection may be as doubtful.
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            response
        });
        answer.map(|body| {
            body.holding(live, busy, Some(permit))
                .until_stop(live, asks)
        })
    }

    fn refuse(
        &self,
        request: &Request<Arriving>,
        refusal: Refusal,
        busy: Busy,
    ) -> Response<Outgoing> {
        let answer = error_response::answer(
            &ExchangeError::Refused(refusal),
            error_response::Asks::of(request),
        );
        answer.map(|body| body.holding(&self.live, busy, None))
    }
}

impl Gate {
    /// Makes this thread ready: the first request is served as the second one is.
    pub async fn rehearse(live: &Arc<Live>, worker: usize) {
        let snapshot = live.snapshot.load_full();
        snapshot.plugins.warm();
        for (name, endpoint) in &snapshot.endpoints {
            let is_replayed = snapshot.index(&endpoint.session).is_some();
            let session = is_replayed.then(|| live.sessions.get(&endpoint.session));
            let Some(Ok(session)) = session else {
                continue;
            };
            let gate = Self {
                endpoint: Arc::clone(name),
                live: Arc::clone(live),
                worker,
            };
            let asked = Asked {
                gate: &gate,
                snapshot: Arc::clone(&snapshot),
                endpoint: Arc::clone(endpoint),
                session,
                target: PathAndQuery::from_static("/"),
            };
            crate::replay::answer::rehearse(&asked).await;
        }
    }

    async fn serve(
        &self,
        request: Request<Arriving>,
        busy: &Busy,
    ) -> Result<Response<Outgoing>, ExchangeError> {
        let websocket = crate::tunnel::is_websocket(&request);
        if *request.method() == Method::CONNECT && !websocket {
            return Err(ExchangeError::Connect);
        }
        validation::check(&request)?;
        if websocket && request.version() < Version::HTTP_2 && !request.body().is_end_stream() {
            return Err(Unsound::Body.into());
        }
        if let Some(page) = admin_pages::page(&self.live, &request)? {
            return Ok(page);
        }
        // One snapshot from here to the end of the exchange.
        let snapshot = self.live.snapshot.load_full();
        let endpoint = snapshot.endpoint(&self.endpoint)?;
        let chosen = session_selection::select(&request)?;
        let name = chosen.session.as_deref().unwrap_or(&endpoint.session);
        let session = self.live.sessions.get(name)?;
        let asked = Asked {
            gate: self,
            snapshot,
            endpoint,
            session,
            target: chosen.target,
        };
        if websocket {
            let lasting = self.live.lasting().ok_or(ExchangeError::TooManyStreams)?;
            return socket(&asked, request, Held::new(busy.clone(), lasting)).await;
        }
        match asked.endpoint.configured.mode {
            Mode::Passthrough => crate::record::relay::pass(&asked, request).await,
            Mode::Record => crate::record::relay::record(&asked, request).await,
            Mode::Replay => crate::replay::answer::replay(&asked, request).await,
            Mode::Auto => crate::replay::answer::auto(&asked, request).await,
        }
    }
}

async fn socket(
    asked: &Asked<'_>,
    request: Request<Arriving>,
    held: Held,
) -> Result<Response<Outgoing>, ExchangeError> {
    match asked.endpoint.configured.mode {
        Mode::Passthrough => crate::tunnel::serve(asked, request, held, Keep::Nothing).await,
        Mode::Record => crate::tunnel::serve(asked, request, held, Keep::Recording(None)).await,
        Mode::Replay => crate::conversation::socket(asked, request, held).await,
        Mode::Auto => crate::conversation::socket_or_tunnel(asked, request, held).await,
    }
}
