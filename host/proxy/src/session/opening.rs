//! A request that waits until a session can be opened.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::error::SessionError;
use super::registry::{SEARCH_INTERVAL, Sessions};
use super::session_state::Session;

impl Sessions {
    /// As [`Self::get_or_create`]. If each open session has a request in progress, waits at most
    /// `limit` until one has none. Requests get their sessions in the order in which they came.
    pub(crate) async fn open(
        &self,
        name: &str,
        limit: Duration,
    ) -> Result<Arc<Session>, SessionError> {
        if self.opening.available_permits() > 0 || self.is_open(name) {
            let opened = self.get_or_create(name);
            if !matches!(opened, Err(SessionError::TooMany(_))) {
                return opened;
            }
        }
        let end = Instant::now() + limit;
        let turn = timeout_at(end, self.opening.acquire()).await;
        loop {
            let opened = self.get_or_create(name);
            let is_full = matches!(opened, Err(SessionError::TooMany(_)));
            if !is_full || turn.is_err() || Instant::now() >= end {
                return opened;
            }
            sleep(SEARCH_INTERVAL.min(limit)).await;
        }
    }
}
