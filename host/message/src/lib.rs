//! The values that everything else is about: exchanges of HTTP with their header fields, bodies,
//! streams and failures. No I/O, no clock.

#![forbid(unsafe_code)]

pub mod error_chain;
pub mod exchange;
pub mod failure;
pub mod fields;
pub mod glob;
pub mod stream;

pub use exchange::{Content, Exchange, Request, Response};
pub use failure::{Failure, FailureCause};
pub use fields::Fields;
pub use stream::Stream;
