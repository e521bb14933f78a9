//! A job of the recorder.

use std::sync::Arc;

use super::captured_exchange::CapturedExchange;
use super::memory_budget::MemoryReservation;
use super::pending_redactions::UnredactedExchange;
use super::pending_writes::{PendingKey, UnwrittenExchange};
use super::recorder_handle::RecorderHandle;
use ouli_cassette::RequestStart;
use ouli_plugin::Plugins;
use ouli_redaction::Guard;

/// A captured exchange on its way to the cassette.
pub struct RecordJob {
    /// The session.
    pub session: RecorderHandle,
    /// The exchange.
    pub captured: CapturedExchange,
    /// The time of the registry of secrets when the response began.
    pub response_begun: u64,
    /// Until it is dropped, requests with unknown secrets wait.
    pub unredacted: UnredactedExchange,
    /// The generation of plugins that handled the request.
    pub plugins: Arc<Plugins>,
    /// When the request began.
    pub start: Option<Arc<RequestStart>>,
    /// The last check before the disk.
    pub guard: Arc<Guard>,
    /// True if exchanges are appended to the existing cassette and can be replayed at once; false
    /// if a new cassette is started.
    pub append: bool,
    /// The key under which requests wait for this exchange.
    pub pending_key: Option<PendingKey>,
    /// Until it is dropped, the verdict on the run is not final.
    pub unwritten: UnwrittenExchange,
    /// The memory of its bodies.
    pub reservations: Vec<MemoryReservation>,
}
