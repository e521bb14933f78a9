//! Sessions: the exchanges recorded under one name, their replay state, and their report.
//!
//! Connects the cassette and the plugins. The request handler decides how a request is answered.

mod all_runs;
mod captured_exchange;
mod cassette_load;
mod cassette_state;
mod cassette_watch;
mod client_messages;
mod closed_exchanges;
mod closed_session;
mod closed_sessions;
mod coded_form;
mod counters;
mod entry;
mod error;
mod exchange_builder;
mod forgotten_session;
mod idle_sessions;
mod index;
mod index_request;
mod index_run;
mod indexes;
mod log_throttle;
mod memory_budget;
mod opening;
mod outcome;
mod outcome_log;
mod pending_writes;
mod record_check;
mod record_job;
mod recorder;
mod recorder_handle;
mod recorder_limits;
mod recorder_worker;
mod registry;
mod replay_marks;
mod replay_queue;
mod run;
mod run_entries;
mod session_state;
mod shadow_comparison;
mod truncated_body;
mod truncated_index;
mod truncated_lookup;
mod truncated_request;
mod unwritten_bytes;
mod verdict;
mod verdict_failure;
mod verdict_text;
mod websocket_exchange;

#[cfg(test)]
pub(crate) mod test_exchange;

pub use captured_exchange::{CapturedExchange, StreamCapture, StreamKind};
pub use client_messages::{UnmatchedMessage, violation_key};
pub use counters::Counters;
pub use entry::Entry;
pub use error::SessionError;
pub use index::{ExhaustedPolicy, Index, LookupResult};
pub use indexes::Indexes;
pub use memory_budget::{MemoryBudget, MemoryReservation, MemoryWait};
pub use outcome::Outcome;
pub use pending_writes::UnwrittenExchange;
pub use record_job::RecordJob;
pub use recorder::{QueuePermit, Recorder};
pub use recorder_handle::RecorderHandle;
pub use recorder_limits::RecorderLimits;
pub use registry::Sessions;
pub(crate) use replay_queue::{ClaimedEntry, ReplayQueue};
pub use session_state::Session;
pub(crate) use shadow_comparison::{Comparison, Corpus};
pub(crate) use truncated_index::TruncatedKey;
pub(crate) use truncated_request::LivePart;
pub use verdict::{SessionReport, Verdict, VerdictRules};
pub use verdict_failure::{DefectCounts, Failure};
