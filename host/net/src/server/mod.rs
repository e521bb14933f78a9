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

pub use accept_loop::{Listener, Socket, serve, serve_from};
pub use activity::Busy;
pub use connection::Respond;
pub use connection_limiter::{Places, Slots};
pub use head_limits::Refusal;
pub use listener::Bound;
use ouli_config::Limits;
pub use request_body::{ArrivalError, Arriving};
pub use stop_accepting::refuse;

/// The limits of the downstream side; the values come from `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Pending connections in the kernel.
    pub backlog: u32,
    /// How long connections wait for a slot.
    pub connection_wait: Duration,
    /// Refused connections that are told so at one time.
    pub refused_connections: usize,
    /// Requests on one connection.
    pub connection_requests: usize,
    /// Age after which a connection takes one more request.
    pub connection_age: Duration,
    /// Bytes of path and query of a request.
    pub uri_bytes: usize,
    /// Bytes of a request head on HTTP/1.1.
    pub header_bytes: usize,
    /// Fields of a request head on HTTP/1.1.
    pub headers: usize,
    /// Time from the first byte of a head to its last.
    pub header_timeout: Duration,
    /// Bytes that the system holds for a client beyond its window.
    pub unsent_bytes: u32,
    /// Time that a connection may be idle.
    pub idle_timeout: Duration,
    /// Time that a connection may be quiet once a stop has begun.
    pub stop_linger: Duration,
    /// Time between two pieces of a request's body.
    pub request_idle_timeout: Duration,
    /// Time in which a request's body is waited for, in all.
    pub request_timeout: Duration,
    /// Time in which a client takes nothing of what waits for it.
    pub response_idle_timeout: Duration,
    /// Time for a TLS handshake.
    pub tls_timeout: Duration,
    /// Streams at once on one HTTP/2 connection.
    pub http2_streams: u32,
    /// Flow-control window of an HTTP/2 stream in bytes.
    pub http2_stream_window: u32,
    /// Flow-control window of an HTTP/2 connection in bytes.
    pub http2_connection_window: u32,
    /// Bytes of the header list of an HTTP/2 request.
    pub http2_header_list: u32,
    /// Bytes of the table of HPACK of a client.
    pub http2_header_table: u32,
    /// Fields of an HTTP/2 request.
    pub http2_headers: usize,
    /// Bytes of a frame that is received.
    pub http2_frame: u32,
    /// Bytes waiting to be sent on one HTTP/2 stream.
    pub http2_send_buffer: usize,
    /// Streams reset by the peer that wait to be taken (CVE-2023-44487).
    pub http2_resets: usize,
    /// Streams that the client makes the gateway reset (CVE-2025-8671).
    pub http2_own_resets: usize,
    /// Streams that the client resets in a while.
    pub http2_cancelled: usize,
    /// Frames in a while that ask for nothing.
    pub http2_idle_frames: usize,
    /// Time between two PINGs.
    pub http2_ping_interval: Duration,
    /// Time until a PING is answered.
    pub http2_ping_timeout: Duration,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            backlog: limits.backlog,
            connection_wait: limits.connection_wait,
            refused_connections: limits.refused_connections,
            connection_requests: limits.connection_requests,
            connection_age: limits.connection_age,
            uri_bytes: limits.uri_bytes,
            header_bytes: limits.header_bytes,
            headers: limits.headers,
            header_timeout: limits.header_timeout,
            unsent_bytes: limits.unsent_bytes,
            idle_timeout: limits.idle_timeout,
            stop_linger: limits.stop_linger,
            request_idle_timeout: limits.request_idle_timeout,
            request_timeout: limits.request_timeout,
            response_idle_timeout: limits.response_idle_timeout,
            tls_timeout: limits.tls_timeout,
            http2_streams: limits.http2_streams,
            http2_stream_window: limits.http2_stream_window,
            http2_connection_window: limits.http2_connection_window,
            http2_header_list: limits.http2_header_list,
            http2_header_table: limits.http2_header_table,
            http2_headers: limits.http2_headers,
            http2_frame: limits.http2_frame,
            http2_send_buffer: limits.http2_send_buffer,
            http2_resets: limits.http2_resets,
            http2_own_resets: limits.http2_own_resets,
            http2_cancelled: limits.http2_cancelled,
            http2_idle_frames: limits.http2_idle_frames,
            http2_ping_interval: limits.http2_ping_interval,
            http2_ping_timeout: limits.http2_ping_timeout,
        }
    }
}

/// Why a listener cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another program has the address.
    #[error(
        "{address} is taken by another program; stop it, or choose another with --listen \
         (port 0 takes a free one)"
    )]
    Taken {
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
