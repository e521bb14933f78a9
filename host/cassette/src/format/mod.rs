//! The text of a cassette: how exchanges become text and are read back.

pub(crate) mod body_reader;
pub(crate) mod body_writer;
pub(crate) mod chunk_sizes;
pub(crate) mod decode;
pub(crate) mod digest;
pub(crate) mod encode;
pub(crate) mod exchange_members;
pub(crate) mod failure_reader;
pub(crate) mod format_error;
pub(crate) mod json_writer;
pub(crate) mod message_reader;
pub(crate) mod stream_names;
pub(crate) mod stream_reader;
pub(crate) mod stream_writer;
pub(crate) mod strict_json;
