//! Gives a request a connection: a free one, or the next that becomes free or is opened.

use std::pin::pin;
use std::sync::Arc;

use super::connection::Connection;
use super::state::{Attempt, Pool};
use crate::upstream::error::BoxError;

impl Pool {
    /// A connection for one request. With `is_new`, one that has served no request on HTTP/1.1.
    pub(in crate::upstream) async fn checkout(
        self: &Arc<Self>,
        is_new: bool,
    ) -> Result<Connection, Arc<BoxError>> {
        if let Some(connection) = self.take(&mut self.state.lock(), is_new) {
            return Ok(connection);
        }
        let _waiting = Waiting::new(self);
        let mut attempt = None;
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(outcome) = self.advance(is_new, &mut attempt) {
                return outcome;
            }
            changed.await;
        }
    }

    /// Takes a connection, or makes sure that enough are being opened.
    fn advance(
        self: &Arc<Self>,
        is_new: bool,
        attempt: &mut Option<Arc<Attempt>>,
    ) -> Option<Result<Connection, Arc<BoxError>>> {
        let mut state = self.state.lock();
        if let Some(connection) = self.take(&mut state, is_new) {
            if state.waiting > 1 {
                // There may be another one.
                self.changed.notify_one();
            }
            return Some(Ok(connection));
        }
        if let Some(error) = attempt.as_ref().and_then(|attempt| attempt.error()) {
            return Some(Err(error));
        }
        if state.waiting > state.coming() {
            *attempt = Some(self.start_attempt(&mut state));
        } else if attempt.as_ref().is_none_or(|attempt| attempt.is_done()) {
            let latest = state.latest_attempt.as_ref();
            *attempt = latest.filter(|latest| latest.error().is_none()).cloned();
        }
        None
    }
}

/// A request that waits for a connection.
struct Waiting<'a>(&'a Pool);

impl<'a> Waiting<'a> {
    fn new(pool: &'a Pool) -> Self {
        pool.state.lock().waiting += 1;
        Self(pool)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state.lock().waiting -= 1;
    }
}
