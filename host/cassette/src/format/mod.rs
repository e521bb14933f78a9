//! The text of a cassette: exchanges are encoded as text, and text is decoded into exchanges.

mod body_reader;
mod body_writer;
mod boundary;
mod chunk_sizes;
mod conflict_marker;
mod decode;
mod digest;
mod encode;
mod error;
mod exchange_members;
mod exchange_reader;
mod failure_reader;
mod field_reader;
mod header;
mod json_writer;
mod last_exchange;
pub(crate) mod line_ends;
mod message_reader;
mod parallel_reader;
mod place;
mod scan;
mod stream_names;
mod stream_reader;
mod stream_writer;
mod strict_json;

#[cfg(test)]
mod tests;

pub use decode::{LoadedCassette, decode};
pub(crate) use digest::is_body_digest;
pub use digest::{body_digest, digest};
pub use encode::encode;
pub use error::{Damage, FormatError, ParseError};
pub use exchange_reader::RecordedExchange;
pub use header::HEADER;
pub(crate) use last_exchange::last_ordinal;
pub use place::{Place, start_order};
pub(crate) use scan::scan;
