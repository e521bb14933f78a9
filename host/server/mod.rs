//! The door for sockets in: accepts, speaks HTTP/1.1 and HTTP/2, and drains. It takes any service
//! and knows no mode.

mod activity;
mod breaker;
mod connection;
mod ending;
mod listener;
mod refusal;
mod strict;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::config::Limits;
pub use activity::Busy;
pub use connection::Respond;
pub use listener::{Bound, serve};
pub use refusal::refuse;

/// The limits of the downstream side; the values come from `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Pending connections in the kernel.
    pub backlog: u32,
    /// Bytes of a request head on HTTP/1.1.
    pub header_bytes: usize,
    /// Fields of a request head on HTTP/1.1.
    pub headers: usize,
    /// Time from the first byte of a head to its last.
    pub header_timeout: Duration,
    /// Time that a connection may be idle.
    pub idle_timeout: Duration,
    /// Time that a connection may be quiet once a stop has begun.
    pub stop_linger: Duration,
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
    /// Bytes waiting to be sent on one HTTP/2 stream.
    pub http2_send_buffer: usize,
    /// Streams reset by the peer that wait to be taken (CVE-2023-44487).
    pub http2_resets: usize,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            backlog: limits.backlog,
            header_bytes: limits.header_bytes,
            headers: limits.headers,
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
            stop_linger: limits.stop_linger,
            tls_timeout: limits.tls_timeout,
            http2_streams: limits.http2_streams,
            http2_stream_window: limits.http2_stream_window,
            http2_connection_window: limits.http2_connection_window,
            http2_header_list: limits.http2_header_list,
            http2_send_buffer: limits.http2_send_buffer,
            http2_resets: limits.http2_resets,
        }
    }
}

/// Slots for connections, shared by all listeners.
pub type Slots = Arc<Semaphore>;

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
