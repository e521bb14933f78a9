//! The right to one stream of an HTTP/2 connection to an upstream.

use std::fmt;
use std::sync::Arc;

/// Counts the open streams of connections.
pub(super) trait StreamCount: Send + Sync {
    /// A stream of this connection has ended.
    fn release(self: Arc<Self>, connection: u64);
}

/// One stream of a connection. The request body and the response body share it: the stream has
/// ended once both have.
#[derive(Clone)]
pub(super) struct StreamPermit(Arc<Permit>);

struct Permit {
    connection: u64,
    count: Arc<dyn StreamCount>,
}

impl StreamPermit {
    pub(super) fn new(connection: u64, count: Arc<dyn StreamCount>) -> Self {
        Self(Arc::new(Permit { connection, count }))
    }

    /// The number of its connection.
    pub(super) fn connection(&self) -> u64 {
        self.0.connection
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        Arc::clone(&self.count).release(self.connection);
    }
}

impl fmt::Debug for StreamPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StreamPermit")
            .field(&self.0.connection)
            .finish()
    }
}
