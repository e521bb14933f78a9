//! The limits of the downstream side.

use std::time::Duration;

/// The limits of one listener and its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Length of the kernel's accept queue.
    pub backlog: u32,
    /// Time that an accepted connection waits for a permit.
    pub accept_queue_timeout: Duration,
    /// Connections over the limit that are sent a rejection at the same time.
    pub rejected_connections: usize,
    /// Requests on one connection.
    pub max_requests_per_connection: usize,
    /// Age after which a connection accepts one last request.
    pub max_connection_age: Duration,
    /// Bytes of the path and query of a request.
    pub uri_bytes: usize,
    /// Bytes of an HTTP/1.1 request head.
    pub header_bytes: usize,
    /// Header fields of an HTTP/1.1 request.
    pub header_count: usize,
    /// Time from the first byte of a request head to its last.
    pub request_header_timeout: Duration,
    /// Time that a request waits for its response after its client has ended its stream.
    pub half_close_timeout: Duration,
    /// Unsent bytes that the kernel buffers for a client (`TCP_NOTSENT_LOWAT`).
    pub tcp_notsent_lowat: u32,
    /// Time without a request after which a connection is closed.
    pub idle_timeout: Duration,
    /// Time without a request after which a connection is closed while the listener drains.
    pub keepalive_drain_timeout: Duration,
    /// Requests in progress of one client address or IPv6 network.
    pub requests_per_source: usize,
    /// Requests in progress of one loopback address.
    pub requests_per_loopback: usize,
    /// Bytes per second that a request body has at least; 0 for any rate.
    pub request_body_min_rate: u32,
    /// Time spent waiting for a request body that does not count for its rate.
    pub request_body_grace: Duration,
    /// The same while other requests wait for a place.
    pub request_body_contended_grace: Duration,
    /// Time between two chunks of a request body.
    pub request_body_idle_timeout: Duration,
    /// Total time spent waiting for a request body.
    pub request_timeout: Duration,
    /// Time in which a client reads nothing of the response bytes that wait for it.
    pub response_send_timeout: Duration,
    /// Time for a TLS handshake.
    pub tls_handshake_timeout: Duration,
    /// Concurrent streams of one HTTP/2 connection.
    pub http2_max_concurrent_streams: u32,
    /// Flow-control window of an HTTP/2 stream in bytes.
    pub http2_stream_window: u32,
    /// Flow-control window of an HTTP/2 connection in bytes.
    pub http2_connection_window: u32,
    /// Bytes of the header list of an HTTP/2 request.
    pub http2_max_header_list_size: u32,
    /// Bytes of the client's HPACK table.
    pub http2_header_table_size: u32,
    /// Header fields of an HTTP/2 request.
    pub http2_header_count: usize,
    /// Payload bytes of a received HTTP/2 frame.
    pub http2_max_frame_size: u32,
    /// Unsent bytes of one HTTP/2 stream.
    pub http2_send_buffer: usize,
    /// Streams that the client has reset and the server has not accepted yet (CVE-2023-44487).
    pub http2_max_pending_resets: usize,
    /// Streams that the gateway resets because of client errors (CVE-2025-8671).
    pub http2_max_local_resets: usize,
    /// Streams that the client resets within ten seconds.
    pub http2_max_client_resets: usize,
    /// Frames within ten seconds that carry no request data.
    pub http2_max_control_frames: usize,
    /// Time between two keep-alive PINGs.
    pub http2_ping_interval: Duration,
    /// Time until a PING must be acknowledged.
    pub http2_ping_timeout: Duration,
}

impl Bounds {
    /// How often a connection checks its time limits: a limit is exceeded by a quarter at most.
    pub(super) fn timeout_check_interval(&self) -> Duration {
        let shortest = self
            .request_header_timeout
            .min(self.idle_timeout)
            .min(self.response_send_timeout);
        (shortest / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }
}

#[cfg(test)]
impl Default for Bounds {
    /// The defaults of `[limits]`.
    fn default() -> Self {
        Self {
            backlog: 4096,
            accept_queue_timeout: Duration::from_secs(1),
            rejected_connections: 64,
            max_requests_per_connection: 1_000_000,
            max_connection_age: Duration::from_secs(3600),
            uri_bytes: 8 << 10,
            header_bytes: 32 << 10,
            header_count: 100,
            request_header_timeout: Duration::from_secs(10),
            half_close_timeout: Duration::from_secs(1),
            tcp_notsent_lowat: 64 << 10,
            idle_timeout: Duration::from_secs(60),
            keepalive_drain_timeout: Duration::from_millis(500),
            requests_per_source: 512,
            requests_per_loopback: 1_000_000,
            request_body_min_rate: 240,
            request_body_grace: Duration::from_secs(30),
            request_body_contended_grace: Duration::from_millis(500),
            request_body_idle_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(300),
            response_send_timeout: Duration::from_secs(60),
            tls_handshake_timeout: Duration::from_secs(5),
            http2_max_concurrent_streams: 100,
            http2_stream_window: 64 << 10,
            http2_connection_window: 256 << 10,
            http2_max_header_list_size: 36 << 10,
            http2_header_table_size: 0,
            http2_header_count: 128,
            http2_max_frame_size: 16 << 10,
            http2_send_buffer: 64 << 10,
            http2_max_pending_resets: 20,
            http2_max_local_resets: 1024,
            http2_max_client_resets: 1000,
            http2_max_control_frames: 100,
            http2_ping_interval: Duration::from_secs(30),
            http2_ping_timeout: Duration::from_secs(10),
        }
    }
}
