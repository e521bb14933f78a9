//! The way of a request: a permit, validation, the snapshot, the session, then the mode.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::CONNECTION;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Method, Request, Response, Version};
use http_body::Body as _;
use tracing::Instrument as _;

use super::access_log::AccessOutcome;
use super::endpoint::Endpoint;
use super::error::ExchangeError;
use super::error_format::ErrorFormat;
use super::error_response::error_response;
use super::request_body::RequestBody;
use super::request_context::RequestContext;
use super::request_handler::RequestHandler;
use super::request_trace::RequestTrace;
use super::response_body::OutgoingBody;
use super::session_selection::{self, SelectedSession};
use super::shared_state::SharedState;
use super::snapshot::Snapshot;
use super::{admin_pages, own_response, target_authority};
use crate::session::Outcome;
use crate::tunnel::{ClientUpgrade, TunnelGuards, TunnelRecording};
use crate::{conversation, record, replay, tunnel};
use ouli_codec::grpc;
use ouli_config::{Defect, Mode};
use ouli_net::http::authority;
use ouli_net::http::validation::{self, InvalidMessage};
use ouli_net::server::{HttpService, IncomingBody, Rejection, RequestGuard};

impl HttpService for RequestHandler {
    type Body = OutgoingBody;

    async fn call(
        &self,
        request: Request<IncomingBody>,
        guard: RequestGuard,
    ) -> Response<OutgoingBody> {
        let trace = RequestTrace::begin(self, &request, &guard);
        let span = trace.span();
        let response = self.respond(request, guard, &trace).instrument(span).await;
        traced(response, trace)
    }

    fn reject(
        &self,
        request: &Request<IncomingBody>,
        rejection: Rejection,
        guard: RequestGuard,
    ) -> Response<OutgoingBody> {
        let trace = RequestTrace::begin(self, request, &guard);
        let error = ExchangeError::Rejected(rejection);
        trace.set_error(&error);
        self.count_error(&error);
        let format = self.error_format(ErrorFormat::of(request));
        let response = own_response::for_method(error_response(&error, format), request.method());
        let response = response.map(|body| body.with_guards(&self.shared, guard, None));
        traced(response, trace)
    }

    fn connection_rejected(&self, reason: &str) {
        if !self.is_passthrough() {
            let outcome = Outcome::Failed(Defect::RefusedRequest, reason.to_owned());
            self.shared.counters.count(outcome);
        }
    }
}

/// The response with the trace of its request, which ends with the body.
fn traced(response: Response<OutgoingBody>, trace: RequestTrace) -> Response<OutgoingBody> {
    trace.set_status(response.status());
    response.map(|body| body.with_trace(trace))
}

impl RequestHandler {
    /// Prepares this thread, so that its first request is as fast as later ones.
    pub async fn warm_up(shared: &Arc<SharedState>, worker: usize) {
        let snapshot = shared.snapshot.load_full();
        snapshot.plugins.warm_up();
        for (name, endpoint) in &snapshot.endpoints {
            if snapshot.index(&endpoint.session).is_none() {
                continue;
            }
            let Ok(session) = shared.sessions.get_or_create(&endpoint.session) else {
                continue;
            };
            let handler = Self {
                endpoint: Arc::clone(name),
                shared: Arc::clone(shared),
                worker,
            };
            let context = RequestContext {
                handler: Cow::Borrowed(&handler),
                snapshot: Arc::clone(&snapshot),
                endpoint: Arc::clone(endpoint),
                session,
                target: PathAndQuery::from_static("/"),
                preserved_authority: None,
                trace: RequestTrace::default(),
                interim: None,
                guard: None,
                start: None,
            };
            replay::warm_up(&context).await;
        }
    }

    /// The response to a request, or to the error that it ends with.
    async fn respond(
        &self,
        request: Request<IncomingBody>,
        guard: RequestGuard,
        trace: &RequestTrace,
    ) -> Response<OutgoingBody> {
        let shared = &self.shared;
        let (format, version) = (ErrorFormat::of(&request), request.version());
        let method = request.method().clone();
        // Before the permit: a busy gateway is ready.
        if let Some(health) = admin_pages::health_response(shared, &request) {
            trace.set_outcome(AccessOutcome::Admin);
            let response = health.unwrap_or_else(|error| error_response(&error, format));
            return own_response::for_method(response, &method)
                .map(|body| body.with_guards(shared, guard, None));
        }
        let permit = match shared.permit(&guard).await {
            Ok(permit) => permit,
            Err(error) => {
                trace.set_error(&error);
                self.count_error(&error);
                let response = error_response(&error, self.error_format(format));
                return own_response::for_method(response, &method)
                    .map(|body| body.with_guards(shared, guard, None));
            }
        };
        let request = request.map(|body| RequestBody::new(body, trace.bytes_in()));
        let response = self.serve(request, &guard, trace).await;
        let response = response.unwrap_or_else(|error| {
            trace.log_error(&error);
            let response = error_response(&error, self.error_format(format));
            let mut response = own_response::for_method(response, &method);
            if version < Version::HTTP_2 && matches!(error, ExchangeError::InvalidMessage(_)) {
                // The other requests of the connection may be as ambiguous.
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            response
        });
        response.map(|body| {
            body.with_guards(shared, guard, Some(permit))
                .until_shutdown(shared, format)
                .for_call(format, version)
        })
    }

    /// The form of an error: the one that the endpoint sets, otherwise the one of the client.
    fn error_format(&self, by_client: ErrorFormat) -> ErrorFormat {
        let snapshot = self.shared.snapshot.load();
        match snapshot.endpoints.get(&self.endpoint) {
            Some(endpoint) => by_client.configured(endpoint.configured.error_format),
            None => by_client,
        }
    }

    async fn serve(
        &self,
        request: Request<RequestBody>,
        guard: &RequestGuard,
        trace: &RequestTrace,
    ) -> Result<Response<OutgoingBody>, ExchangeError> {
        let is_websocket = tunnel::is_websocket(&request);
        validate(&request, is_websocket).inspect_err(|error| self.count_error(error))?;
        if let Some(page) =
            admin_pages::admin_response(&self.shared, &request, guard.peer()).await?
        {
            trace.set_outcome(AccessOutcome::Admin);
            return Ok(own_response::for_method(page, request.method()));
        }
        let addressed = self.address(&request);
        let addressed = addressed.inspect_err(|error| self.count_error(error))?;
        let context = self.context(addressed, guard, trace).await;
        let context = context.inspect_err(|error| self.count_error(error))?;
        let served = serve_addressed(&context, request, guard, is_websocket).await;
        served.map_err(|error| {
            let error = context.cause(error);
            context.count_error(&error);
            error
        })
    }

    /// Counts an error of a request whose session is not known.
    fn count_error(&self, error: &ExchangeError) {
        if self.is_passthrough() {
            return;
        }
        if let Some(outcome) = error.outcome() {
            self.shared.counters.count(outcome);
        }
    }

    fn is_passthrough(&self) -> bool {
        let snapshot = self.shared.snapshot.load();
        let endpoint = snapshot.endpoints.get(&self.endpoint);
        endpoint.is_some_and(|endpoint| endpoint.configured.mode == Mode::Passthrough)
    }

    /// What a request addresses.
    fn address(&self, request: &Request<RequestBody>) -> Result<Addressed, ExchangeError> {
        let snapshot = self.shared.snapshot.load_full();
        let endpoint = snapshot.endpoint(&self.endpoint)?;
        target_authority::check(request, &endpoint, &self.shared.own_listeners)?;
        Ok(Addressed {
            preserved_authority: match endpoint.configured.preserve_host {
                true => authority::of_request(request)?,
                false => None,
            },
            selected: session_selection::select(request)?,
            snapshot,
            endpoint,
        })
    }

    /// The context of a request. One snapshot serves the exchange to its end.
    async fn context<'a>(
        &'a self,
        addressed: Addressed,
        guard: &'a RequestGuard,
        trace: &RequestTrace,
    ) -> Result<RequestContext<'a>, ExchangeError> {
        let Addressed {
            snapshot,
            endpoint,
            preserved_authority,
            selected,
        } = addressed;
        let name = selected.session.as_deref().unwrap_or(&endpoint.session);
        let sessions = &self.shared.sessions;
        let (name, session) = match endpoint.configured.mode {
            // Nothing is kept of it.
            Mode::Passthrough => (
                sessions.checked_name(name)?,
                Arc::clone(sessions.passthrough()),
            ),
            Mode::Record | Mode::Replay | Mode::Auto => {
                let limit = snapshot.config.limits.pending_request_timeout;
                let session = sessions.open(name, limit).await?;
                session.note_request();
                (Arc::clone(session.name()), session)
            }
        };
        // The order of recorded exchanges is that in which requests get here.
        let start = match endpoint.configured.mode {
            Mode::Record | Mode::Auto => Some(Arc::new(session.start_order().begin())),
            Mode::Replay | Mode::Passthrough => None,
        };
        trace.select(name, session.secrets(), &selected.target);
        let is_forwarded = endpoint.configured.mode != Mode::Replay;
        Ok(RequestContext {
            handler: Cow::Borrowed(self),
            snapshot,
            endpoint,
            session,
            target: selected.target,
            preserved_authority,
            trace: trace.clone(),
            guard: Some(Cow::Borrowed(guard)),
            start,
            interim: is_forwarded.then(|| guard.interim_sender()).flatten(),
        })
    }
}

/// What a request addresses.
struct Addressed {
    snapshot: Arc<Snapshot>,
    endpoint: Arc<Endpoint>,
    preserved_authority: Option<Authority>,
    selected: SelectedSession,
}

fn validate(request: &Request<RequestBody>, is_websocket: bool) -> Result<(), ExchangeError> {
    if *request.method() == Method::CONNECT && !is_websocket {
        return Err(ExchangeError::ConnectNotSupported);
    }
    validation::validate_request(request)?;
    if is_websocket && request.version() < Version::HTTP_2 && !request.body().is_end_stream() {
        return Err(InvalidMessage::WebSocketWithBody.into());
    }
    Ok(())
}

async fn serve_addressed(
    context: &RequestContext<'_>,
    request: Request<RequestBody>,
    guard: &RequestGuard,
    is_websocket: bool,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    target_authority::check_recorded(&request, context).await?;
    if is_websocket {
        serve_websocket(context, request, guard).await
    } else {
        serve_http(context, request, guard).await
    }
}

/// Serves a request that is not for a WebSocket, and the tunnel that it may become.
async fn serve_http(
    context: &RequestContext<'_>,
    mut request: Request<RequestBody>,
    guard: &RequestGuard,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let Some(upgrade) = ClientUpgrade::of(context, &mut request) else {
        return serve_request(context, request).await;
    };
    let permit = context.handler.shared.stream_permit();
    let permit = permit.ok_or(ExchangeError::TooManyStreams)?;
    let response = serve_request(context, request).await?;
    let guards = TunnelGuards::new(guard.clone(), permit, context.trace.clone());
    Ok(upgrade.finish(context, response, guards))
}

async fn serve_request(
    context: &RequestContext<'_>,
    mut request: Request<RequestBody>,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let ended = request.body_mut().await_declared_end().await;
    ended.map_err(|error| ExchangeError::Downstream(error.to_string()))?;
    let is_call = grpc::has_grpc_body(request.headers());
    match context.endpoint.configured.mode {
        Mode::Passthrough => record::passthrough(context, request).await,
        Mode::Record => record::record(context, request).await,
        Mode::Replay if is_call => conversation::replay_call(context, request).await,
        Mode::Replay => replay::replay(context, request).await,
        Mode::Auto if is_call => conversation::replay_call_or_forward(context, request).await,
        Mode::Auto => replay::replay_or_forward(context, request).await,
    }
}

async fn serve_websocket(
    context: &RequestContext<'_>,
    request: Request<RequestBody>,
    guard: &RequestGuard,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let permit = context.handler.shared.stream_permit();
    let permit = permit.ok_or(ExchangeError::TooManyStreams)?;
    let guards = TunnelGuards::new(guard.clone(), permit, context.trace.clone());
    match context.endpoint.configured.mode {
        Mode::Passthrough => tunnel::serve(context, request, guards, TunnelRecording::Off).await,
        Mode::Record => tunnel::serve(context, request, guards, TunnelRecording::On(None)).await,
        Mode::Replay => conversation::replay_websocket(context, request, guards).await,
        Mode::Auto => conversation::replay_websocket_or_tunnel(context, request, guards).await,
    }
}
