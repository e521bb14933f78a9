//! Interim responses to clients (RFC 9110, section 15.2). hyper's server sends none but its own
//! 100, so the gateway writes them between the bytes of hyper.

mod encoding;
mod queue;
mod scope;
mod sender;

pub(super) use queue::InterimQueue;
pub(super) use scope::InterimScope;
pub use sender::InterimSender;
pub(super) use sender::Protocol;
