//! HTTP rules without I/O: which messages are valid, and which header fields a proxy forwards.

pub mod authority;
pub mod connection_login;
mod expectation;
pub mod forwarding;
mod reason_phrase;
mod stream_reset;
pub(crate) mod trailers;
pub mod upgrade;
pub mod validation;

pub use expectation::{expects_continue, has_expectation};
pub(crate) use reason_phrase::set_default_reason;
pub use reason_phrase::{reason_phrase, set_reason_phrase};
pub use stream_reset::stream_reset;
