//! Cassettes: the format of recordings, and the only code that reads and writes them on disk.
//!
//! `format` converts exchanges to text and back, without I/O. `store` finds and loads the cassettes
//! of sessions. `writer` appends to the cassettes of all sessions, on one thread. The format is
//! described in `FORMAT.md`.

#![forbid(unsafe_code)]

mod format;
mod store;
mod summary;
mod writer;

pub use format::{
    Damage, FormatError, HEADER, LoadedCassette, ParseError, Place, RecordedExchange, body_digest,
    decode, digest, encode, start_order,
};
pub use store::{
    CassetteDir, CassetteError, CassetteInfo, ChangePolicy, FileStamp, GIT_ATTRIBUTES, NameError,
    SessionName,
};
pub use summary::{ExchangeSummary, StreamParts, StreamSummary, Summary};
pub use writer::{
    AcceptError, Ack, CheckRejection, Completion, OnUnsynced, RequestStart, StartOrder,
    SubmitError, SyncPolicy, WriteCheck, WriteError, WriteRequest, Writer, WriterOptions,
};

#[cfg(test)]
mod test_exchanges;
