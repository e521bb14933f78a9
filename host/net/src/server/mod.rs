//! The door for sockets in: accepts, speaks HTTP/1.1 and HTTP/2, and drains. It takes any service
//! and knows no mode.

mod accept_loop;
mod activity;
mod connection;
mod connection_limiter;
mod frames;
mod head_limits;
mod http1;
mod http1_validator;
mod http2;
mod idle;
mod inspected_io;
mod listener;
mod reject;
mod request_body;
mod reset_on_close;
mod response_body;
mod stop_accepting;

use std::net::SocketAddr;
use std::time::Duration;

pub use accept_loop::{Listener, Socket, serve, serve_listener};
pub use activity::RequestGuard;
pub use connection::HttpService;
pub use connection_limiter::{ConnectionLimiter, SharedConnectionLimiter};
pub use head_limits::Rejection;
pub use listener::BoundListener;
use ouli_config::Limits;
pub use request_body::{IncomingBody, IncomingBodyError};
pub use stop_accepting::stop_accepting;

/// The limits of the downstream side; the values come from `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Pending connections in the kernel.
    pub backlog: u32,
    /// How long connections wait for a slot.
    pub accept_queue_timeout: Duration,
    /// Refused connections that are told so at one time.
    pub rejected_connections: usize,
    /// Requests on one connection.
    pub max_requests_per_connection: usize,
    /// Age after which a connection takes one more request.
    pub max_connection_age: Duration,
    /// Bytes of path and query of a request.
    pub uri_bytes: usize,
    /// Bytes of a request head on HTTP/1.1.
    pub header_bytes: usize,
    /// Fields of a request head on HTTP/1.1.
    pub header_count: usize,
    /// Time from the first byte of a head to its last.
    pub request_header_timeout: Duration,
    /// Bytes that the system holds for a client beyond its window.
    pub tcp_notsent_lowat: u32,
    /// Time that a connection may be idle.
    pub idle_timeout: Duration,
    /// Time that a connection may be quiet once a stop has begun.
    pub keepalive_drain_timeout: Duration,
    /// Time between two pieces of a request's body.
    pub request_body_idle_timeout: Duration,
    /// Time in which a request's body is waited for, in all.
    pub request_timeout: Duration,
    /// Time in which a client takes nothing of what waits for it.
    pub response_send_timeout: Duration,
    /// Time for a TLS handshake.
    pub tls_handshake_timeout: Duration,
    /// Streams at once on one HTTP/2 connection.
    pub http2_max_concurrent_streams: u32,
    /// Flow-control window of an HTTP/2 stream in bytes.
    pub http2_stream_window: u32,
    /// Flow-control window of an HTTP/2 connection in bytes.
    pub http2_connection_window: u32,
    /// Bytes of the header list of an HTTP/2 request.
    pub http2_max_header_list_size: u32,
    /// Bytes of the table of HPACK of a client.
    pub http2_header_table_size: u32,
    /// Fields of an HTTP/2 request.
    pub http2_header_count: usize,
    /// Bytes of a frame that is received.
    pub http2_max_frame_size: u32,
    /// Bytes waiting to be sent on one HTTP/2 stream.
    pub http2_send_buffer: usize,
    /// Streams reset by the peer that wait to be taken (CVE-2023-44487).
    pub http2_max_pending_resets: usize,
    /// Streams that the client makes the gateway reset (CVE-2025-8671).
    pub http2_max_local_resets: usize,
    /// Streams that the client resets in a while.
    pub http2_max_client_resets: usize,
    /// Frames in a while that ask for nothing.
    pub http2_max_control_frames: usize,
    /// Time between two PINGs.
    pub http2_ping_interval: Duration,
    /// Time until a PING is answered.
    pub http2_ping_timeout: Duration,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            backlog: limits.backlog,
            accept_queue_timeout: limits.accept_queue_timeout,
            rejected_connections: limits.rejected_connections,
            max_requests_per_connection: limits.max_requests_per_connection,
            max_connection_age: limits.max_connection_age,
            uri_bytes: limits.uri_bytes,
            header_bytes: limits.header_bytes,
            header_count: limits.header_count,
            request_header_timeout: limits.request_header_timeout,
            tcp_notsent_lowat: limits.tcp_notsent_lowat,
            idle_timeout: limits.idle_timeout,
            keepalive_drain_timeout: limits.keepalive_drain_timeout,
            request_body_idle_timeout: limits.request_body_idle_timeout,
            request_timeout: limits.request_timeout,
            response_send_timeout: limits.response_send_timeout,
            tls_handshake_timeout: limits.tls_handshake_timeout,
            http2_max_concurrent_streams: limits.http2_max_concurrent_streams,
            http2_stream_window: limits.http2_stream_window,
            http2_connection_window: limits.http2_connection_window,
            http2_max_header_list_size: limits.http2_max_header_list_size,
            http2_header_table_size: limits.http2_header_table_size,
            http2_header_count: limits.http2_header_count,
            http2_max_frame_size: limits.http2_max_frame_size,
            http2_send_buffer: limits.http2_send_buffer,
            http2_max_pending_resets: limits.http2_max_pending_resets,
            http2_max_local_resets: limits.http2_max_local_resets,
            http2_max_client_resets: limits.http2_max_client_resets,
            http2_max_control_frames: limits.http2_max_control_frames,
            http2_ping_interval: limits.http2_ping_interval,
            http2_ping_timeout: limits.http2_ping_timeout,
        }
    }
}

/// Why a listener cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program has the address.
    #[error(
        "{address} is taken by another program; stop it, or choose another with --listen \
         (port 0 takes a free one)"
    )]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The system refused.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The reason.
        source: std::io::Error,
    },
}
