//! What is done with a request: record, replay, auto or passthrough. Joins the doors below for one
//! exchange.

pub(crate) mod admin_pages;
pub(crate) mod buffered_body;
pub(crate) mod context;
pub(crate) mod error_response;
pub(crate) mod request_limiter;
pub(crate) mod response_body;
mod session_selection;

pub use admin_pages::PLUGIN_STATUS_PATH;
pub use context::{Endpoint, PageRenderer, RequestHandler, Route, SharedState, Snapshot};
pub use error_response::ExchangeError;
pub use request_limiter::RequestLimiter;
pub use response_body::OutgoingBody;

use std::sync::Arc;

use http::header::CONNECTION;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, Version};
use http_body::Body as _;

use crate::tunnel::{TunnelGuards, TunnelRecording};
use context::RequestContext;
use ouli_config::Mode;
use ouli_net::http::validation::{self, InvalidMessage};
use ouli_net::server::{HttpService, IncomingBody, Rejection, RequestGuard};

impl HttpService for RequestHandler {
    type Body = OutgoingBody;

    async fn call(
        &self,
        request: Request<IncomingBody>,
        busy: RequestGuard,
    ) -> Response<OutgoingBody> {
        let live = &self.shared;
        let (asks, version) = (error_response::ErrorFormat::of(&request), request.version());
        let permit = match live.request_permit().await {
            Ok(permit) => permit,
            Err(error) => {
                return error_response::error_response(&error, asks)
                    .map(|body| body.with_guards(live, busy, None));
            }
        };
        let answer = self.serve(request, &busy).await;
        let answer = answer.unwrap_or_else(|error| {
            let error = busy.rejection().map_or(error, ExchangeError::Rejected);
            error_response::log_error(&error);
            let mut response = error_response::error_response(&error, asks);
            if version < Version::HTTP_2 && matches!(error, ExchangeError::InvalidMessage(_)) {
                // What else came on this connection may be as doubtful.
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            response
        });
        answer.map(|body| {
            body.with_guards(live, busy, Some(permit))
                .until_shutdown(live, asks)
        })
    }

    fn reject(
        &self,
        request: &Request<IncomingBody>,
        refusal: Rejection,
        busy: RequestGuard,
    ) -> Response<OutgoingBody> {
        let answer = error_response::error_response(
            &ExchangeError::Rejected(refusal),
            error_response::ErrorFormat::of(request),
        );
        answer.map(|body| body.with_guards(&self.shared, busy, None))
    }
}

impl RequestHandler {
    /// Makes this thread ready: the first request is served as the second one is.
    pub async fn warm_up(live: &Arc<SharedState>, worker: usize) {
        let snapshot = live.snapshot.load_full();
        snapshot.plugins.warm_up();
        for (name, endpoint) in &snapshot.endpoints {
            let is_replayed = snapshot.index(&endpoint.session).is_some();
            let session = is_replayed.then(|| live.sessions.get_or_create(&endpoint.session));
            let Some(Ok(session)) = session else {
                continue;
            };
            let gate = Self {
                endpoint: Arc::clone(name),
                shared: Arc::clone(live),
                worker,
            };
            let asked = RequestContext {
                handler: &gate,
                snapshot: Arc::clone(&snapshot),
                endpoint: Arc::clone(endpoint),
                session,
                target: PathAndQuery::from_static("/"),
            };
            crate::replay::answer::warm_up(&asked).await;
        }
    }

    async fn serve(
        &self,
        request: Request<IncomingBody>,
        busy: &RequestGuard,
    ) -> Result<Response<OutgoingBody>, ExchangeError> {
        let websocket = crate::tunnel::is_websocket(&request);
        if *request.method() == Method::CONNECT && !websocket {
            return Err(ExchangeError::ConnectNotSupported);
        }
        validation::validate_request(&request)?;
        if websocket && request.version() < Version::HTTP_2 && !request.body().is_end_stream() {
            return Err(InvalidMessage::WebSocketWithBody.into());
        }
        if let Some(page) = admin_pages::admin_response(&self.shared, &request)? {
            return Ok(page);
        }
        // One snapshot from here to the end of the exchange.
        let snapshot = self.shared.snapshot.load_full();
        let endpoint = snapshot.endpoint(&self.endpoint)?;
        let chosen = session_selection::select(&request)?;
        let name = chosen.session.as_deref().unwrap_or(&endpoint.session);
        let session = self.shared.sessions.get_or_create(name)?;
        let asked = RequestContext {
            handler: self,
            snapshot,
            endpoint,
            session,
            target: chosen.target,
        };
        if websocket {
            let lasting = self
                .shared
                .stream_permit()
                .ok_or(ExchangeError::TooManyStreams)?;
            return serve_websocket(&asked, request, TunnelGuards::new(busy.clone(), lasting))
                .await;
        }
        match asked.endpoint.configured.mode {
            Mode::Passthrough => crate::record::relay::passthrough(&asked, request).await,
            Mode::Record => crate::record::relay::record(&asked, request).await,
            Mode::Replay => crate::replay::answer::replay(&asked, request).await,
            Mode::Auto => crate::replay::answer::auto(&asked, request).await,
        }
    }
}

async fn serve_websocket(
    asked: &RequestContext<'_>,
    request: Request<IncomingBody>,
    held: TunnelGuards,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    match asked.endpoint.configured.mode {
        Mode::Passthrough => crate::tunnel::serve(asked, request, held, TunnelRecording::Off).await,
        Mode::Record => crate::tunnel::serve(asked, request, held, TunnelRecording::On(None)).await,
        Mode::Replay => crate::conversation::replay_websocket(asked, request, held).await,
        Mode::Auto => crate::conversation::replay_websocket_or_tunnel(asked, request, held).await,
    }
}
