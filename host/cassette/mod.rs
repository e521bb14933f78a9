//! Cassettes: the only code that touches the disk for recordings.
//!
//! Text and exchanges are turned into each other by pure code (`encode`, `decode`). `store` knows
//! where sessions lie, `append` keeps one cassette whole while it grows, and `writer` is the one
//! thread that appends for all sessions. The format is described in `FORMAT.md`.

mod append;
mod bodies;
mod body;
mod body_members;
mod chunks;
mod decode;
mod digest;
mod done;
mod encode;
mod error;
mod failure_members;
mod fault;
mod holder;
mod list;
mod name;
mod open;
mod page;
mod pieces;
mod record;
mod scribe;
mod shape;
mod slot;
mod store;
mod stream;
mod stream_members;
mod stream_words;
mod summary;
mod turn_members;
mod writer;

pub use decode::{Loaded, Recorded, decode};
pub use digest::{body_digest, digest};
pub use done::Done;
pub use encode::{HEADER, encode};
pub use error::CassetteError;
pub use fault::{Damage, Fault, FormatError};
pub use list::Listed;
pub use name::{NameError, SessionName};
pub use store::{Changes, Folder};
pub use summary::{Parts, Row, Streamed, Summary};
pub use writer::{
    Ack, Check, Item, Options, Refusal, SyncWhen, Unsent, Unsynced, WriteError, Writer,
};

#[cfg(test)]
mod tests;
