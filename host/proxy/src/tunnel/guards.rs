//! The guards of a WebSocket.

use crate::handler::{RequestTrace, StreamPermit};
use ouli_net::server::RequestGuard;

/// The guards that a WebSocket holds until it ends.
pub(crate) struct TunnelGuards {
    _request_guard: RequestGuard,
    _stream_permit: StreamPermit,
    trace: RequestTrace,
}

impl TunnelGuards {
    pub(crate) fn new(
        request_guard: RequestGuard,
        stream_permit: StreamPermit,
        trace: RequestTrace,
    ) -> Self {
        Self {
            _request_guard: request_guard,
            _stream_permit: stream_permit,
            trace,
        }
    }

    /// The trace of the request, which ends with the WebSocket.
    pub(crate) fn trace(&self) -> &RequestTrace {
        &self.trace
    }
}
