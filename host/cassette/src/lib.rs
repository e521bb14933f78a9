//! Cassettes: the only code that touches the disk for recordings.
//!
//! Text and exchanges are turned into each other by pure code (`encode`, `decode`). `store` knows
//! where sessions lie, `append` keeps one cassette whole while it grows, and `writer` is the one
//! thread that appends for all sessions. The format is described in `FORMAT.md`.

#![forbid(unsafe_code)]

mod format;
mod store;
mod writer;
pub use format::decode::{LoadedCassette, RecordedExchange, decode};
pub use format::digest::{body_digest, digest};
pub use format::encode::{HEADER, encode};
pub use format::format_error::{Damage, FormatError, ParseError};
pub use store::error::CassetteError;
pub use store::folder::{CassetteDir, ChangePolicy};
pub use store::list::CassetteInfo;
pub use store::session_name::{NameError, SessionName};
pub use store::summary::{ExchangeSummary, StreamParts, StreamSummary, Summary};
pub use writer::completion::Completion;
pub use writer::queue::{
    Ack, CheckRejection, OnUnsynced, SubmitError, SyncPolicy, WriteCheck, WriteError, WriteRequest,
    Writer, WriterOptions,
};

#[cfg(test)]
mod tests;
