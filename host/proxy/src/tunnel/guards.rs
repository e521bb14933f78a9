//! What a WebSocket holds until it ends.

use crate::handler::StreamPermit;
use ouli_net::server::RequestGuard;

/// What a WebSocket holds until it ends.
pub(crate) struct TunnelGuards {
    _request_guard: RequestGuard,
    _stream_permit: StreamPermit,
}

impl TunnelGuards {
    pub(crate) fn new(request_guard: RequestGuard, stream_permit: StreamPermit) -> Self {
        Self {
            _request_guard: request_guard,
            _stream_permit: stream_permit,
        }
    }
}
