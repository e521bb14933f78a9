//! Maps a message of a known type to JSON and remembers the location of each value on the wire, so
//! that values can be replaced without changing any other bytes.

mod fields;
mod json_text;
mod leaf;
mod mapped_message;
mod scalar;
#[cfg(test)]
mod tests;
mod well_known;

pub(super) use leaf::MappingMode;
pub use mapped_message::MappedMessage;
