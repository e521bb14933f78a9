//! HTTP rules without I/O: which messages are valid, and which header fields a proxy forwards.

pub mod connection_login;
pub mod forwarding;
mod stream_reset;
pub mod upgrade;
pub mod validation;

pub use stream_reset::stream_reset;
