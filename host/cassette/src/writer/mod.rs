//! Appending to cassettes: one thread, one queue, one open file per session.

pub(crate) mod appender;
pub(crate) mod batch_writer;
pub(crate) mod completion;
pub(crate) mod open_cassette;
pub(crate) mod queue;
