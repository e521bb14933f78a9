//! Reloads a gateway from a thread that does not own it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::state::GatewayState;

/// A handle that reloads a gateway.
#[derive(Clone)]
pub struct Reloader(Weak<GatewayState>);

impl Reloader {
    pub(super) fn new(state: &Arc<GatewayState>) -> Self {
        Self(Arc::downgrade(state))
    }

    /// Reads the files again, as [`Gateway::reload`](super::Gateway::reload) does. Returns the
    /// state of the gateway in one line, or `None` if it stops.
    pub fn reload(&self) -> Option<String> {
        let state = self.0.upgrade()?;
        state.reload();
        state.reload_cassettes();
        let is_stopped = state.stopped.load(Ordering::Acquire);
        (!is_stopped).then(|| state.summary())
    }
}
