//! The service of one listener of one worker.

use std::sync::Arc;

use super::shared_state::SharedState;

/// The service of one listener of one worker.
#[derive(Clone)]
pub struct RequestHandler {
    /// Name of the endpoint.
    pub endpoint: Arc<str>,
    /// Shared by all workers.
    pub shared: Arc<SharedState>,
    /// The number of the worker, from 0.
    pub worker: usize,
}
