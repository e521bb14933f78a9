//! HTTP rules without I/O: which messages are valid, and which header fields a proxy forwards.

mod expectation;
pub mod forwarding;
mod stream_reset;
pub(crate) mod trailers;
pub mod validation;

pub use expectation::{expects_continue, has_expectation};
pub use stream_reset::stream_reset;
