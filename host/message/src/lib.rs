//! HTTP exchanges as values: header fields, bodies, streams and failures. No I/O, no clock.

#![forbid(unsafe_code)]

mod body_digest;
mod coded_body;
mod content;
pub mod error_chain;
pub mod exchange;
pub mod failure;
pub mod fields;
pub mod glob;
pub mod printable;
pub mod stream;

pub use body_digest::is_body_digest;
pub use coded_body::CodedBody;
pub use content::Content;
pub use exchange::{Exchange, Request, Response};
pub use failure::{Failure, FailureCause};
pub use fields::Fields;
pub use stream::Stream;
