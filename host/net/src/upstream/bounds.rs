//! The limits of the upstream side.

use std::time::Duration;

/// The limits of one upstream client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Time for name resolution and the TCP handshake.
    pub connect_timeout: Duration,
    /// Time for the TLS handshake.
    pub tls_handshake_timeout: Duration,
    /// Time from the request to the response head.
    pub response_header_timeout: Duration,
    /// Time that a request body waits for the upstream to ask for it.
    pub continue_timeout: Duration,
    /// Interim responses before the response head.
    pub interim_responses: usize,
    /// Time after which an idle pooled connection is closed.
    pub idle_timeout: Duration,
    /// Idle connections that the pool keeps.
    pub idle_connections: usize,
    /// Bytes of a response head.
    pub header_bytes: usize,
    /// Header fields of a response.
    pub header_count: usize,
    /// Time between two chunks of a response body.
    pub body_idle_timeout: Duration,
    /// Bytes of one HTTP/2 response that are buffered.
    pub stream_window: u32,
    /// Bytes of all responses of one HTTP/2 connection that are buffered.
    pub connection_window: u32,
    /// Bytes of a request body that are kept to be sent again.
    pub retry_buffer: usize,
    /// Unsent bytes of one HTTP/2 request.
    pub send_buffer: usize,
    /// Bytes of a tunnel over HTTP/2 that are buffered.
    pub tunnel_window: u32,
    /// Concurrent requests.
    pub max_concurrent_requests: usize,
    /// Requests that wait until others end.
    pub max_pending_requests: usize,
    /// Time that they wait.
    pub pending_request_timeout: Duration,
}
