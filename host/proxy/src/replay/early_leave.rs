//! A replayed stream that its client leaves before the end of the recording.

use std::sync::Arc;

use crate::session::{Entry, Outcome, Session};
use ouli_config::Defect;
use ouli_message::stream::{ChunkKind, StreamContent};

/// Counts it. The client has not got all that was recorded, or has not sent it.
pub(crate) struct EarlyLeave {
    session: Arc<Session>,
    exchange: u64,
    unit: &'static str,
    /// The parts of the stream.
    total: usize,
}

impl EarlyLeave {
    /// For events and lines. Other bodies that arrive with pauses are no streams.
    pub(super) fn of_chunks(session: &Arc<Session>, entry: &Entry) -> Option<Self> {
        let (unit, chunks) = match &entry.stream.as_ref()?.content {
            StreamContent::Chunks(ChunkKind::Event, chunks) => ("event", chunks),
            StreamContent::Chunks(ChunkKind::Line, chunks) => ("line", chunks),
            StreamContent::Chunks(ChunkKind::Raw, _) | StreamContent::Messages(..) => return None,
        };
        Some(Self {
            session: Arc::clone(session),
            exchange: entry.ordinal,
            unit,
            total: chunks.len(),
        })
    }

    pub(crate) fn of_messages(session: &Arc<Session>, entry: &Entry, total: usize) -> Self {
        Self {
            session: Arc::clone(session),
            exchange: entry.ordinal,
            unit: "message",
            total,
        }
    }

    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// The last `left` parts are missing, the first of them for this reason.
    pub(crate) fn count(&self, left: usize, why: &str) {
        let Self {
            exchange,
            unit,
            total,
            ..
        } = self;
        let number = total.saturating_sub(left) + 1;
        let reason = format!("exchange {exchange} ended before {unit} {number} of {total}, {why}");
        let outcome = Outcome::Failed(Defect::Unfinished, reason);
        self.session.counters().count(outcome);
    }
}

/// Why a part of the server is missing.
pub(crate) const NOT_AWAITED: &str = "which the client did not wait for";

/// Why a part of the client is missing.
pub(crate) const NOT_SENT: &str = "which the client did not send";
