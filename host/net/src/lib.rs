//! The network side of the gateway: the server, the upstream client, TLS, and orderly shutdown.

#![forbid(unsafe_code)]

mod delegate_writes;
pub mod drain;
pub mod http;
pub mod server;
pub mod shared_buffer;
pub mod tls;
pub mod upstream;
