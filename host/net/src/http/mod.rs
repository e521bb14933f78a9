//! HTTP rules without I/O: which messages are valid, and which header fields a proxy forwards.

pub mod forwarding;
pub mod validation;
