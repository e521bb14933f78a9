//! The door for sockets out: one pooled client per upstream, with time limits on every phase.

mod connector;
mod tunnel;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Pooled;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use connector::Connector;
pub use connector::Dialled;
use tunnel::Tunnels;
pub use tunnel::{Opened, Way};

use crate::config::{Limits, Scheme, Upstream as Address};

/// What is sent to an upstream.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// The limits of the upstream side; the values come from `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Time for name resolution and the TCP handshake.
    pub connect_timeout: Duration,
    /// Time for the TLS handshake.
    pub tls_timeout: Duration,
    /// Time from the request to the head of the response.
    pub first_byte_timeout: Duration,
    /// Time that a pooled connection may be idle.
    pub idle_timeout: Duration,
    /// Idle connections kept for one upstream.
    pub idle_connections: usize,
    /// Bytes that a tunnel over HTTP/2 may hold here.
    pub tunnel_window: u32,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            connect_timeout: limits.connect_timeout,
            tls_timeout: limits.tls_timeout,
            first_byte_timeout: limits.first_byte_timeout,
            idle_timeout: limits.upstream_idle_timeout,
            idle_connections: limits.upstream_idle_connections,
            tunnel_window: limits.http2_stream_window,
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
    },
    /// The connection or the head of the response did not come in time.
    #[error("{target} gave no {what} within {limit:?} (limits.{key})")]
    Late {
        /// Host and port.
        target: String,
        /// What was waited for.
        what: &'static str,
        /// For how long.
        limit: Duration,
        /// The setting.
        key: &'static str,
    },
    /// The connection broke, or what came was no HTTP.
    #[error("{target} broke the exchange: {reason}")]
    Broken {
        /// Host and port.
        target: String,
        /// What happened.
        reason: String,
    },
}

/// A client for one upstream. Clones share its pool.
#[derive(Clone, Debug)]
pub struct Upstream {
    client: Pooled<Connector, Body>,
    tunnels: Tunnels,
    target: String,
    first_byte_timeout: Duration,
}

impl Upstream {
    /// A client for `target`; it opens no connection before the first request.
    pub fn new(
        target: &Address,
        tls: Option<std::sync::Arc<rustls::ClientConfig>>,
        bounds: &Bounds,
    ) -> Self {
        let tunnels = Tunnels::new(target, tls.as_ref(), bounds);
        let connector = Connector::new(target.clone(), tls, bounds);
        let client = Pooled::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(bounds.idle_timeout)
            .pool_max_idle_per_host(bounds.idle_connections)
            .http2_only(target.scheme == Scheme::H2c)
            // Only a request that was never written is sent again: the pool's connection had closed
            // before it.
            .retry_canceled_requests(true)
            .http2_initial_stream_window_size(256 << 10)
            .http2_initial_connection_window_size(1 << 20)
            .build(connector);
        Self {
            client,
            tunnels,
            target: format!("{}:{}", target.host, target.port),
            first_byte_timeout: bounds.first_byte_timeout,
        }
    }

    /// Sends a request; returns with the head of the response, its body still on the way.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, UpstreamError> {
        let limit = self.first_byte_timeout;
        match tokio::time::timeout(limit, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(self.explain(&error, error.is_connect())),
            Err(_) => Err(self.late("response")),
        }
    }

    fn late(&self, what: &'static str) -> UpstreamError {
        UpstreamError::Late {
            target: self.target.clone(),
            what,
            limit: self.first_byte_timeout,
            key: "first_byte_timeout",
        }
    }

    fn explain(
        &self,
        error: &(dyn std::error::Error + 'static),
        connecting: bool,
    ) -> UpstreamError {
        let target = self.target.clone();
        let mut source = Some(error);
        let mut reason = error.to_string();
        while let Some(cause) = source {
            if let Some(late) = cause.downcast_ref::<connector::Late>() {
                return UpstreamError::Late {
                    target,
                    what: late.what,
                    limit: late.limit,
                    key: late.key,
                };
            }
            reason = cause.to_string();
            source = cause.source();
        }
        if connecting {
            UpstreamError::Connect { target, reason }
        } else {
            UpstreamError::Broken { target, reason }
        }
    }
}
