//! Logs what clients of a listener do wrong, without a line for each of their attempts.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Warnings of a listener are logged this often; those in between for debugging only.
const INTERVAL: Duration = Duration::from_secs(60);

/// The time of the last warning of a listener.
#[derive(Debug, Default)]
pub(super) struct WarningThrottle(Mutex<Option<Instant>>);

impl WarningThrottle {
    /// Logs a text.
    pub(super) fn warn(&self, text: &str) {
        let now = Instant::now();
        let mut last = self.0.lock();
        if last.is_none_or(|last| now.duration_since(last) >= INTERVAL) {
            *last = Some(now);
            drop(last);
            tracing::warn!("{text}");
        } else {
            tracing::debug!("{text}");
        }
    }
}
