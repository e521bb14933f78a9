//! The client of one upstream: a connection pool, with a time limit on every phase.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Pooled;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;

use super::body_end::EndCheck;
use super::body_timeout::{Body, LastWrite, TimedRequestBody, UpstreamBody};
use super::bounds::Bounds;
use super::connector::Connector;
use super::continue_gate::ContinueGate;
use super::diagnosis;
use super::dial::Dial;
use super::error::{HEAD_TOO_LARGE, UpstreamError};
use super::interim_responses::{InterimLimiter, TooManyInterim};
use super::tunnel::{TunnelConnection, TunnelConnector};
use crate::http::validation::InvalidMessage;
use crate::http::{authority, forwarding, has_expectation};
use ouli_config::{Scheme, Upstream as Address};
use ouli_message::failure::{FailureCause, FailureKind, Phase};

/// hyper's default limit of header fields. Any other number costs an allocation for each response.
const HYPER_DEFAULT_MAX_HEADERS: usize = 100;

/// An extension of a response: the upstream did not ask for the request body, which was not sent.
#[derive(Clone, Copy, Debug)]
pub struct RefusedBody;

/// A client of one upstream. Clones share its pool.
#[derive(Clone, Debug)]
pub struct UpstreamClient {
    client: Pooled<Connector, TimedRequestBody>,
    pub(super) tunnels: TunnelConnector,
    pub(super) target: String,
    pub(super) response_header_timeout: Duration,
    body_idle_timeout: Duration,
    header_count: usize,
    pub(super) interim_responses: usize,
    continue_timeout: Duration,
    /// Requests may share a connection (HTTP/2).
    may_multiplex: bool,
}

impl UpstreamClient {
    /// A client of `target`. `dial` opens its connections, none before the first request.
    pub fn new(
        target: &Address,
        tls: Option<Arc<rustls::ClientConfig>>,
        bounds: &Bounds,
        dial: &Arc<dyn Dial>,
    ) -> Self {
        let tunnels = TunnelConnector::new(target, tls.as_ref(), bounds, dial);
        let connector = Connector::new(target.clone(), tls, bounds, dial);
        // Without drain guards: an idle connection of the pool must not delay a stop.
        let mut client = Pooled::builder(TokioExecutor::new());
        client
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(bounds.idle_timeout)
            .pool_max_idle_per_host(bounds.idle_connections)
            .http2_only(target.scheme == Scheme::H2c)
            // Only a request that was never written is sent again: the upstream had already closed
            // the pooled connection.
            .retry_canceled_requests(true)
            // A proxy repairs these in responses (RFC 9112, sections 5.1 and 5.2).
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_max_buf_size(bounds.header_bytes)
            .http2_max_header_list_size(u32::try_from(bounds.header_bytes).unwrap_or(u32::MAX))
            .http2_max_send_buf_size(bounds.send_buffer)
            .http2_initial_stream_window_size(bounds.stream_window)
            .http2_initial_connection_window_size(bounds.connection_window);
        if bounds.header_count != HYPER_DEFAULT_MAX_HEADERS {
            client.http1_max_headers(bounds.header_count);
        }
        Self {
            client: client.build(connector),
            tunnels,
            target: format!("{}:{}", target.host, target.port),
            response_header_timeout: bounds.response_header_timeout,
            body_idle_timeout: bounds.body_idle_timeout,
            header_count: bounds.header_count,
            interim_responses: bounds.interim_responses,
            continue_timeout: bounds.continue_timeout,
            may_multiplex: target.scheme != Scheme::Http,
        }
    }

    /// Sends a request. Returns once the response head has arrived. While the request body is being
    /// sent, the time limit restarts with every part that the connection takes.
    ///
    /// # Errors
    /// If there is no response, or it is malformed.
    pub async fn send(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        if !self.may_multiplex {
            authority::set_host(&mut request);
        }
        let start = Instant::now();
        let is_head = *request.method() == Method::HEAD;
        let gate = self.continue_gate(&request);
        let interim = InterimLimiter::attach(&mut request, self.interim_responses, gate.clone());
        let last_write = (!request.body().is_end_stream()).then(LastWrite::now);
        let mut request = request.map(|body| TimedRequestBody {
            body,
            last_write: last_write.clone(),
            gate: gate.clone().map(|gate| (gate, None)),
        });
        let shared = self.may_multiplex.then(|| {
            forwarding::detach(request.headers_mut());
            let connection = capture_connection(&mut request);
            if let Some(gate) = &gate {
                gate.set_connection(connection.clone());
            }
            connection
        });
        let mut response = pin!(interim.enforce(self.client.request(request)));
        loop {
            let since = last_write.as_ref().map_or(start, LastWrite::get);
            let deadline = since + self.response_header_timeout;
            match tokio::time::timeout_at(deadline, &mut response).await {
                Ok(Ok(Ok(response))) => return self.wrap_response(response, is_head, gate),
                Ok(Ok(Err(error))) => return Err(self.explain(&error, error.is_connect())),
                Ok(Err(too_many)) => return Err(self.too_many_interim(&too_many)),
                Err(_) if last_write.as_ref().is_some_and(|last| last.get() > since) => {}
                Err(_) => {
                    poison_connection(shared.as_ref());
                    return Err(self.timeout_error("response headers from"));
                }
            }
        }
    }

    /// A connection for one tunnel.
    ///
    /// # Errors
    /// If no connection can be made, or the upstream does not support tunnels.
    pub async fn open_tunnel(&self) -> Result<TunnelConnection, UpstreamError> {
        let limit = self.response_header_timeout;
        match tokio::time::timeout(limit, self.tunnels.open()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(self.explain(&*error, true)),
            Err(_) => Err(self.timeout_error("a tunnel to")),
        }
    }

    /// Requests the tunnel. Returns the response head.
    ///
    /// # Errors
    /// If there is no response, or it is malformed.
    pub async fn request_tunnel(
        &self,
        connection: TunnelConnection,
        mut request: Request<Body>,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        let interim = InterimLimiter::attach(&mut request, self.interim_responses, None);
        let response = interim.enforce(connection.send(request));
        match tokio::time::timeout(self.response_header_timeout, response).await {
            Ok(Ok(Ok(response))) => self.wrap_response(response, false, None),
            Ok(Ok(Err(error))) => Err(self.explain(&error, false)),
            Ok(Err(too_many)) => Err(self.too_many_interim(&too_many)),
            Err(_) => Err(self.timeout_error("response headers from")),
        }
    }

    /// The error for an ambiguous response.
    pub fn invalid_response(&self, error: &InvalidMessage) -> UpstreamError {
        self.protocol_error(error.to_string())
    }

    /// The error for a response that opens no tunnel.
    pub fn invalid_tunnel(&self, reason: String) -> UpstreamError {
        self.protocol_error(reason)
    }

    /// Checks a response head, and sets the time limit and the checks of the body.
    pub(super) fn wrap_response(
        &self,
        mut response: Response<Incoming>,
        is_head: bool,
        gate: Option<ContinueGate>,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        if response.headers().len() > self.header_count {
            return Err(self.protocol_error(HEAD_TOO_LARGE.to_owned()));
        }
        if gate.as_ref().is_some_and(ContinueGate::on_response) {
            response.extensions_mut().insert(RefusedBody);
        }
        let (version, status) = (response.version(), response.status());
        let end_check = EndCheck::for_response(version, status, response.headers(), is_head);
        let limit = self.body_idle_timeout;
        let new = |body| UpstreamBody::new(body, limit, end_check).with_gate(gate);
        Ok(response.map(new))
    }

    /// Holds the body of this request back, if its client waits before it sends the body.
    pub(super) fn continue_gate(&self, request: &Request<Body>) -> Option<ContinueGate> {
        let is_expected = has_expectation(request.headers()) && !request.body().is_end_stream();
        is_expected.then(|| ContinueGate::new(self.continue_timeout))
    }

    fn protocol_error(&self, reason: String) -> UpstreamError {
        UpstreamError::Broken {
            target: self.target.clone(),
            reason,
            cause: FailureCause::new(Phase::Head, FailureKind::Malformed),
        }
    }

    pub(super) fn too_many_interim(&self, TooManyInterim(max): &TooManyInterim) -> UpstreamError {
        let key = "limits.interim_responses";
        self.protocol_error(format!("it sent more than {max} interim responses ({key})"))
    }

    pub(super) fn timeout_error(&self, awaited: &'static str) -> UpstreamError {
        UpstreamError::Timeout {
            target: self.target.clone(),
            awaited,
            limit: self.response_header_timeout,
            key: "response_header_timeout",
            phase: Phase::Head,
        }
    }

    pub(super) fn explain(
        &self,
        error: &(dyn std::error::Error + 'static),
        is_connecting: bool,
    ) -> UpstreamError {
        diagnosis::to_upstream_error(self.target.clone(), error, is_connecting)
    }
}

/// Removes a connection from the pool. On HTTP/2 all requests share one connection, which is never
/// idle while there are requests, so nothing else would notice that the upstream has vanished.
fn poison_connection(shared: Option<&CaptureConnection>) {
    let connection = shared.map(|shared| shared.connection_metadata());
    if let Some(connection) = connection.as_ref().and_then(|it| it.as_ref()) {
        connection.poison();
    }
}
