//! Appends exchanges to cassettes: one thread, one queue, one open file per session.

mod accept;
mod appender;
mod batch_writer;
mod check;
mod completion;
mod error;
mod handle;
mod large_bodies;
mod locked_file;
mod masking;
mod open_cassette;
mod options;
mod recording_runs;
mod removed;
mod request;
mod rewriting;
mod rotation;
mod run_end;
mod sorting;
mod start_order;
mod worker;

#[cfg(test)]
mod fake_disk;
#[cfg(test)]
mod tests;

pub use accept::AcceptError;
pub use check::{CheckRejection, WriteCheck};
pub use completion::Completion;
pub use error::WriteError;
pub use handle::Writer;
pub use options::{SyncPolicy, WriterOptions};
pub use request::{Ack, OnUnsynced, SubmitError, WriteRequest};
pub use start_order::{RequestStart, StartOrder};
