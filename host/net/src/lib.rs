//! Sockets in and out: the server, the upstream client, TLS, and the drain that ends them.

#![forbid(unsafe_code)]

pub mod drain;
pub mod http;
pub mod server;
pub mod shared_buffer;
pub mod tls;
pub mod upstream;
