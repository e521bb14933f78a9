//! The client of one upstream: a connection pool, with a time limit on every phase.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::body_end::EndCheck;
use super::body_timeout::{Body, UpstreamBody};
use super::bounds::Bounds;
use super::connector::Connector;
use super::continue_gate::ContinueGate;
use super::diagnosis;
use super::dial::Dial;
use super::error::{HEAD_TOO_LARGE, UpstreamError};
use super::has_answered::HasAnswered;
use super::interim_responses::{InterimLimiter, TooManyInterim};
use super::pool::Pool;
use super::pooled_request::PooledRequest;
use super::request_body::LastWrite;
use super::tunnel::{TunnelConnection, TunnelConnector};
use crate::http::has_expectation;
use crate::http::validation::InvalidMessage;
use ouli_config::{Scheme, Upstream as Address};
use ouli_message::failure::{FailureCause, FailureKind, Phase};

/// An extension of a response: the upstream did not ask for the request body, which was not sent.
#[derive(Clone, Copy, Debug)]
pub struct RefusedBody;

/// A client of one upstream. Clones share its pool.
#[derive(Clone, Debug)]
pub struct UpstreamClient {
    pub(super) pool: Arc<Pool>,
    pub(super) tunnels: TunnelConnector,
    pub(super) target: String,
    pub(super) response_header_timeout: Duration,
    body_idle_timeout: Duration,
    header_count: usize,
    pub(super) interim_responses: usize,
    continue_timeout: Duration,
    retry_buffer: usize,
}

impl UpstreamClient {
    /// A client of `target`. `dial` opens its connections, none before the first request. All
    /// clients of an upstream share `has_answered`.
    pub fn new(
        target: &Address,
        tls: Option<Arc<rustls::ClientConfig>>,
        bounds: &Bounds,
        dial: &Arc<dyn Dial>,
        has_answered: &HasAnswered,
    ) -> Self {
        let tunnels = TunnelConnector::new(target, tls.as_ref(), bounds, dial, has_answered);
        let connector = Connector::new(target.clone(), tls, bounds, dial, has_answered.clone());
        let is_http2 = match target.scheme {
            Scheme::Http => Some(false),
            Scheme::H2c => Some(true),
            Scheme::Https => None,
        };
        Self {
            pool: Pool::new(connector, bounds, is_http2),
            tunnels,
            target: format!("{}:{}", target.host, target.port),
            response_header_timeout: bounds.response_header_timeout,
            body_idle_timeout: bounds.body_idle_timeout,
            header_count: bounds.header_count,
            interim_responses: bounds.interim_responses,
            continue_timeout: bounds.continue_timeout,
            retry_buffer: bounds.retry_buffer,
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
        let start = Instant::now();
        let gate = self.continue_gate(&request);
        let interim = InterimLimiter::attach(&mut request, self.interim_responses, gate.clone());
        let last_write = (!request.body().is_end_stream()).then(LastWrite::now);
        let request = PooledRequest::new(request, gate, last_write.clone(), self.retry_buffer);
        let connection = AtomicU64::new(0);
        let response = self.send_pooled(request, &interim, &connection);
        let mut response = pin!(interim.enforce(response));
        loop {
            let since = last_write.as_ref().map_or(start, LastWrite::get);
            let deadline = since + self.response_header_timeout;
            match tokio::time::timeout_at(deadline, &mut response).await {
                Ok(Ok(result)) => return result,
                Ok(Err(too_many)) => return Err(self.too_many_interim(&too_many)),
                Err(_) if last_write.as_ref().is_some_and(|last| last.get() > since) => {}
                Err(_) => {
                    // It is never idle while it has requests, so nothing else would notice that the
                    // upstream has vanished.
                    self.pool.retire(connection.load(Ordering::Relaxed));
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
