//! Errors of a body that reset its HTTP/2 stream with a given code.

use std::error::Error;

/// An error that resets the HTTP/2 stream with this code (RFC 9113, section 7) when a body returns
/// it, or an error that has it as its source: hyper looks for it in the chain of sources.
pub fn stream_reset(code: u32) -> Box<dyn Error + Send + Sync> {
    Box::new(h2::Error::from(h2::Reason::from(code)))
}
