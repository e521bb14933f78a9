//! The proxy: sessions, one exchange from request to response, and the gateway's start, reload and
//! stop.

#![forbid(unsafe_code)]

mod conversation;
pub mod gateway;
pub mod handler;
mod record;
mod replay;
#[cfg(test)]
mod scripted_body;
pub mod session;
mod tunnel;
