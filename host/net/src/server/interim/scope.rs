//! The time in which a request may get interim responses.

use std::future::poll_fn;
use std::sync::Arc;

use crate::server::activity::Activity;

/// From the arrival of a request until its final response begins, or its client leaves.
pub(in crate::server) struct InterimScope {
    activity: Arc<Activity>,
    request: u64,
}

impl InterimScope {
    pub(in crate::server) fn new(activity: &Arc<Activity>, request: u64) -> Self {
        let activity = Arc::clone(activity);
        Self { activity, request }
    }

    /// Ends the time, and waits until the interim responses are written.
    pub(in crate::server) async fn finish(self) {
        let queue = self.activity.interim();
        queue.close(self.request);
        poll_fn(|cx| queue.poll_written(cx)).await;
    }
}

impl Drop for InterimScope {
    fn drop(&mut self) {
        self.activity.interim().close(self.request);
    }
}
