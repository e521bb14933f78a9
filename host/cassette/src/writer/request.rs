//! Requests to the writer, and its acknowledgements.

use std::sync::Arc;

use super::check::WriteCheck;
use super::completion::Completion;
use super::error::WriteError;
use super::start_order::RequestStart;
use crate::format::Place;
use crate::store::FileStamp;
use ouli_message::Exchange;

/// An exchange to write.
#[derive(Debug)]
pub struct WriteRequest {
    /// Name of the session.
    pub session: String,
    /// It belongs to a run of `record`, which began the cassette.
    pub is_recording: bool,
    /// The exchange, already redacted.
    pub exchange: Exchange,
    /// When its request began; `None` if the order in which exchanges are written is theirs.
    pub start: Option<Arc<RequestStart>>,
    /// Checks every byte that is written for the exchange.
    pub check: Arc<dyn WriteCheck>,
    /// A secret of it may be in clear in exchanges that were written before. They are masked at the
    /// end of the run.
    pub is_told: bool,
    /// Called once, from the writer's thread.
    pub completion: Completion<Ack>,
}

/// An exchange that could not be queued.
#[derive(Debug)]
pub enum SubmitError {
    /// The queue is full.
    Full(Box<WriteRequest>),
    /// The writer was closed.
    Closed(Box<WriteRequest>),
}

/// The acknowledgement of a written exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The exchange's place in its cassette.
    pub place: Place,
    /// The bytes that were written: the exchange, and stored bodies that are new.
    pub bytes: u64,
    /// The state of the cassette after the write; a later change is of another program.
    pub stamp: Option<FileStamp>,
}

/// Called from the writer's thread if acknowledged exchanges could not be synced to the disk, or
/// were removed by another program: with the name of the session, the number of exchanges, and the
/// error. The number is 0 if nothing is lost. It must not block.
pub type OnUnsynced = Box<dyn Fn(&str, u64, &WriteError) + Send>;
