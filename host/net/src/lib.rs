//! The network side of the gateway: the server, the upstream client, TLS, and orderly shutdown.

#![forbid(unsafe_code)]

mod delegate_writes;
pub mod drain;
mod fair_share;
pub mod http;
mod response_permit;
pub mod server;
pub mod shared_buffer;
pub mod tls;
pub mod upstream;

pub use response_permit::ResponsePermit;
