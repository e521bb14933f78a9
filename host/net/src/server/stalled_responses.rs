//! The HTTP/2 responses of a connection that wait for flow control.

use std::collections::HashSet;

use parking_lot::Mutex;

/// The numbers of their requests, and since when they wait in milliseconds.
#[derive(Debug, Default)]
pub(super) struct StalledResponses(Mutex<Vec<(u64, u64)>>);

impl StalledResponses {
    /// The response to this request waits from now on.
    pub(super) fn begin(&self, request: u64, now: u64) {
        self.0.lock().push((request, now));
    }

    /// The response to this request no longer waits.
    pub(super) fn end(&self, request: u64) {
        self.0.lock().retain(|(other, _)| *other != request);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// The requests whose responses have waited since such a time.
    pub(super) fn since(&self, is_wanted: impl Fn(u64) -> bool) -> HashSet<u64> {
        let all = self.0.lock();
        let wanted = all.iter().filter(|(_, since)| is_wanted(*since));
        wanted.map(|(request, _)| *request).collect()
    }

    /// Sets the times back, as if `time` had passed.
    #[cfg(test)]
    pub(super) fn advance(&self, time: u64) {
        self.0
            .lock()
            .iter_mut()
            .for_each(|(_, since)| *since -= time);
    }
}
