//! Rules of HTTP that need no socket: which messages are valid, and which fields cross a proxy.

pub mod forwarding;
pub mod validation;
