//! Rules of HTTP that need no socket: which messages are valid, and which fields cross a proxy.

pub mod forwarding;
mod stream_reset;
pub mod validation;

pub use stream_reset::stream_reset;
