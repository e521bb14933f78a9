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

    /// Reads the files again, as [`Gateway::reload`](super::Gateway::reload) does, and logs the
    /// outcome. Returns the state of the gateway in one line, or `None` if it stops.
    pub fn reload(&self) -> Option<String> {
        let state = self.0.upgrade()?;
        let told = state.loaded.lock().config_error.clone();
        let is_reloaded = state.reload();
        let is_changed = state.reload_cassettes() || is_reloaded;
        let invalid = state.loaded.lock().config_error.clone();
        match &invalid {
            // The reload has logged it.
            Some(_) if told != invalid => {}
            Some(error) => tracing::error!(
                "the files were read again: {error}\n  the last good configuration stays in force"
            ),
            None if is_changed => tracing::info!("the files were read again: changes are in force"),
            None => tracing::info!("the files were read again: nothing has changed"),
        }
        let is_stopped = state.stopped.load(Ordering::Acquire);
        (!is_stopped).then(|| state.summary())
    }
}
