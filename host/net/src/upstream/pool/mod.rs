//! The connections to one upstream that requests share.
//!
//! HTTP/1.1 connections serve one request at a time and are kept while idle. HTTP/2 connections
//! serve as many as the upstream allows and as their window has room for; then another one is
//! opened. A connection that the upstream ends takes no more requests.

mod checkout;
mod connect;
mod connection;
mod http2_driver;
mod idle;
mod state;

pub(super) use connection::{Connection, Http1Connection, Http2Stream};
pub(super) use http2_driver::EndedUnused;
pub(super) use state::Pool;
