//! Content codings (RFC 9110, section 8.4): decoding within limits, and encoding.

mod accept_encoding;
mod bounds;
mod coding;
mod decode;
mod encode;
mod error;
mod header;
mod streaming;
#[cfg(test)]
mod tests;

pub use accept_encoding::{accepts, restrict};
pub use bounds::{Bounds, RATIO_FROM};
pub use coding::Coding;
pub use decode::decode;
pub use encode::encode;
pub use error::{CodingError, MAX_CODINGS};
pub use header::{of, parse};
pub use streaming::{Encoder, decode_partial, decode_with_offsets};
