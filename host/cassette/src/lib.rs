//! Cassettes: the only code that touches the disk for recordings.
//!
//! Text and exchanges are turned into each other by pure code (`encode`, `decode`). `store` knows
//! where sessions lie, `append` keeps one cassette whole while it grows, and `writer` is the one
//! thread that appends for all sessions. The format is described in `FORMAT.md`.

#![forbid(unsafe_code)]

mod format;
mod store;
mod writer;
pub use format::decode::{Loaded, Recorded, decode};
pub use format::digest::{body_digest, digest};
pub use format::encode::{HEADER, encode};
pub use format::format_error::{Damage, Fault, FormatError};
pub use store::error::CassetteError;
pub use store::folder::{Changes, Folder};
pub use store::list::Listed;
pub use store::session_name::{NameError, SessionName};
pub use store::summary::{Parts, Row, Streamed, Summary};
pub use writer::completion::Done;
pub use writer::queue::{
    Ack, Check, Item, Options, Refusal, SyncWhen, Unsent, Unsynced, WriteError, Writer,
};

#[cfg(test)]
mod tests;
