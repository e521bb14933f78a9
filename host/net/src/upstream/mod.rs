//! The door for sockets out: one pooled client per upstream, with time limits on every phase.

mod body_timeout;
mod connector;
mod diagnosis;
mod dial;
mod interim_responses;
mod own_listeners;
mod read_ramp;
mod tunnel;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Pooled;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;

pub use body_timeout::{BodyError, UpstreamBody};
use body_timeout::{LastWrite, TimedRequestBody};
use connector::Connector;
pub use connector::MaybeTlsStream;
pub use diagnosis::classify_body_error;
pub use dial::{Dial, DialError, DialFuture, Socket, TcpDialer};
use interim_responses::{InterimLimiter, TooManyInterim};
pub use own_listeners::OwnListeners;
use tunnel::TunnelConnector;
pub use tunnel::{TunnelConnection, TunnelMethod};

use ouli_config::{Limits, Scheme, Upstream as Address};

use crate::http::forwarding;
use ouli_message::failure::{FailureCause, FailureKind, Phase};

/// Header fields for which hyper has room on the stack; any other number costs an allocation for
/// each response.
const HYPER_DEFAULT_MAX_HEADERS: usize = 100;

const TOO_LARGE: &str = "the head of its response is too large (limits.upstream_header_bytes, \
                         limits.upstream_header_count)";

/// What is sent to an upstream.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// The limits of the upstream side; the values come from `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Time for name resolution and the TCP handshake.
    pub connect_timeout: Duration,
    /// Time for the TLS handshake.
    pub tls_handshake_timeout: Duration,
    /// Time from the request to the head of the response.
    pub response_header_timeout: Duration,
    /// Interim responses before the head of a response.
    pub interim_responses: usize,
    /// Time that a pooled connection may be idle.
    pub idle_timeout: Duration,
    /// Idle connections kept for one upstream.
    pub idle_connections: usize,
    /// Bytes of the head of a response.
    pub header_bytes: usize,
    /// Header fields of a response.
    pub header_count: usize,
    /// Time between two parts of a response's body.
    pub body_idle_timeout: Duration,
    /// Bytes of one response on HTTP/2 that may be held here.
    pub stream_window: u32,
    /// Bytes of all responses of one connection on HTTP/2 that may be held here.
    pub connection_window: u32,
    /// Bytes of one request on HTTP/2 that wait to be sent.
    pub send_buffer: usize,
    /// Bytes that a tunnel over HTTP/2 may hold here.
    pub tunnel_window: u32,
    /// Requests under way.
    pub max_concurrent_requests: usize,
    /// Requests that wait for a turn.
    pub max_pending_requests: usize,
    /// Time that they wait.
    pub pending_request_timeout: Duration,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            connect_timeout: limits.connect_timeout,
            tls_handshake_timeout: limits.tls_handshake_timeout,
            response_header_timeout: limits.response_header_timeout,
            interim_responses: limits.interim_responses,
            idle_timeout: limits.upstream_idle_timeout,
            idle_connections: limits.upstream_idle_connections,
            header_bytes: limits.upstream_header_bytes,
            header_count: limits.upstream_header_count,
            body_idle_timeout: limits.upstream_body_idle_timeout,
            stream_window: limits.upstream_stream_window,
            connection_window: limits.upstream_connection_window,
            send_buffer: limits.upstream_send_buffer,
            tunnel_window: limits.http2_stream_window,
            max_concurrent_requests: limits.upstream_max_concurrent_requests,
            max_pending_requests: limits.max_pending_requests,
            pending_request_timeout: limits.pending_request_timeout,
        }
    }
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No connection was made.
    #[error("cannot connect to {target}: {reason}")]
    Connect {
        /// Host and port.
        target: String,
        /// What happened.
        reason: String,
        /// The same, to be recorded.
        cause: FailureCause,
    },
    /// The connection or the head of the response did not come in time.
    #[error("{target} gave no {what} within {limit:?} (limits.{key})")]
    Timeout {
        /// Host and port.
        target: String,
        /// What was waited for.
        what: &'static str,
        /// For how long.
        limit: Duration,
        /// The setting.
        key: &'static str,
        /// How far the exchange had come.
        phase: Phase,
    },
    /// The connection broke, or what came was no HTTP.
    #[error("{target} broke the exchange: {reason}")]
    Broken {
        /// Host and port.
        target: String,
        /// What happened.
        reason: String,
        /// The same, to be recorded.
        cause: FailureCause,
    },
}

impl UpstreamError {
    /// What happened, to be recorded.
    pub fn cause(&self) -> FailureCause {
        match self {
            Self::Connect { cause: fault, .. } | Self::Broken { cause: fault, .. } => *fault,
            Self::Timeout { phase, .. } => FailureCause::new(*phase, FailureKind::Timeout),
        }
    }
}

/// A client for one upstream. Clones share its pool.
#[derive(Clone, Debug)]
pub struct UpstreamClient {
    client: Pooled<Connector, TimedRequestBody>,
    tunnels: TunnelConnector,
    target: String,
    response_header_timeout: Duration,
    body_idle_timeout: Duration,
    header_count: usize,
    interim_responses: usize,
    /// Requests may share a connection.
    multiplexed: bool,
}

impl UpstreamClient {
    /// A client for `target`, whose connections `dial` opens; none before the first request.
    pub fn new(
        target: &Address,
        tls: Option<Arc<rustls::ClientConfig>>,
        bounds: &Bounds,
        dial: &Arc<dyn Dial>,
    ) -> Self {
        let tunnels = TunnelConnector::new(target, tls.as_ref(), bounds, dial);
        let connector = Connector::new(target.clone(), tls, bounds, dial);
        let mut client = Pooled::builder(TokioExecutor::new());
        client
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(bounds.idle_timeout)
            .pool_max_idle_per_host(bounds.idle_connections)
            .http2_only(target.scheme == Scheme::H2c)
            // Only a request that was never written is sent again: the pool's connection had closed
            // before it.
            .retry_canceled_requests(true)
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
            multiplexed: target.scheme != Scheme::Http,
        }
    }

    /// Sends a request; returns with the head of the response, its body still on the way.
    ///
    /// # Errors
    /// Where none comes, or it is no HTTP. While a request is on its way up, time counts from the
    /// last part of it that the upstream took.
    pub async fn send(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        let start = Instant::now();
        let interim = InterimLimiter::attach(&mut request, self.interim_responses);
        let last = (!request.body().is_end_stream()).then(LastWrite::now);
        let mut request = request.map(|body| TimedRequestBody {
            body,
            last_write: last.clone(),
        });
        let shared = self.multiplexed.then(|| {
            forwarding::detach(request.headers_mut());
            capture_connection(&mut request)
        });
        let mut answered = pin!(interim.enforce(self.client.request(request)));
        loop {
            let from = last.as_ref().map_or(start, LastWrite::get);
            let due = from + self.response_header_timeout;
            match tokio::time::timeout_at(due, &mut answered).await {
                Ok(Ok(Ok(response))) => return self.wrap_response(response),
                Ok(Ok(Err(error))) => return Err(self.explain(&error, error.is_connect())),
                Ok(Err(too_many)) => return Err(self.too_many_interim(&too_many)),
                Err(_) if last.as_ref().is_some_and(|last| last.get() > from) => {}
                Err(_) => {
                    poison_connection(shared.as_ref());
                    return Err(self.timeout_error("response"));
                }
            }
        }
    }

    /// A response whose head has come.
    fn wrap_response(
        &self,
        response: Response<Incoming>,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        if response.headers().len() > self.header_count {
            return Err(self.protocol_error(TOO_LARGE.to_owned()));
        }
        Ok(response.map(|body| UpstreamBody::new(body, self.body_idle_timeout)))
    }

    /// What came is no response that may be passed on.
    fn protocol_error(&self, reason: String) -> UpstreamError {
        UpstreamError::Broken {
            target: self.target.clone(),
            reason,
            cause: FailureCause::new(Phase::Head, FailureKind::Malformed),
        }
    }

    fn too_many_interim(&self, TooManyInterim(most): &TooManyInterim) -> UpstreamError {
        let key = "limits.interim_responses";
        self.protocol_error(format!("more than {most} interim responses ({key})"))
    }

    fn timeout_error(&self, what: &'static str) -> UpstreamError {
        UpstreamError::Timeout {
            target: self.target.clone(),
            what,
            limit: self.response_header_timeout,
            key: "response_header_timeout",
            phase: Phase::Head,
        }
    }

    fn explain(
        &self,
        error: &(dyn std::error::Error + 'static),
        connecting: bool,
    ) -> UpstreamError {
        diagnosis::to_upstream_error(self.target.clone(), error, connecting)
    }
}

/// No more requests go on this connection. On HTTP/2 all share one, which is never idle while they
/// keep coming, so that nothing else would tell that its other end is gone without a word.
fn poison_connection(shared: Option<&CaptureConnection>) {
    let connection = shared.map(|shared| shared.connection_metadata());
    if let Some(connection) = connection.as_ref().and_then(|it| it.as_ref()) {
        connection.poison();
    }
}
