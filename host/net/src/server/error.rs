//! Why a listener cannot be opened, and why a request is rejected.

use std::net::SocketAddr;

/// Why a listener cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program listens on the address.
    #[error(
        "{address} is taken by another program; stop it, or choose another address with \
         --listen (port 0 picks a free one)"
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
        /// The system's error.
        source: std::io::Error,
    },
}

/// Why a request is rejected before the service handles it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Its target is too long.
    #[error("the request target is longer than {max} bytes (limits.uri_bytes)")]
    UriTooLong {
        /// The limit in bytes.
        max: usize,
    },
    /// It has too many header fields.
    #[error("the request has more than {max} header fields (limits.http2_header_count)")]
    TooManyHeaders {
        /// The limit.
        max: usize,
    },
    /// Its header fields are too large.
    #[error(
        "the header list of the request is larger than {max} bytes \
         (limits.http2_max_header_list_size)"
    )]
    HeaderListTooLarge {
        /// The limit in bytes.
        max: usize,
    },
    /// Its body did not arrive in time.
    #[error("timed out waiting for the request body (limits.{0})")]
    BodyTimeout(&'static str),
    /// It has too many trailer fields.
    #[error("the request has too many trailer fields (limits.header_count)")]
    TooManyTrailers,
    /// Its body ended early or is malformed.
    #[error("the request body is incomplete")]
    IncompleteBody,
}
