//! Content codings (RFC 9110, section 8.4): decoding within limits, and encoding.

mod accept_encoding;
mod aws_chunked;
mod aws_chunked_stream;
mod bounds;
mod coding;
mod decode;
mod encode;
mod error;
mod extra;
mod gzip;
mod header;
mod received;
#[cfg(test)]
mod received_tests;
mod sink;
mod streaming;
#[cfg(test)]
mod tests;
mod zstd_frames;

pub use accept_encoding::{accepts, accepts_identity, restrict};
pub use bounds::{Bounds, RATIO_FROM};
pub use coding::Coding;
pub use decode::decode;
pub use encode::encode;
pub use error::{CodingError, MAX_CODINGS};
pub use extra::Extra;
pub use header::{of, parse};
pub use received::{ReceivedBody, is_text, remove_codings, remove_codings_partially};
pub use streaming::{Encoder, decode_partial, decode_with_offsets, decoded_offsets, split_coded};
