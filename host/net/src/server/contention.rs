//! Whether requests wait for the place of another one. Then a client that trickles its body loses
//! its place sooner.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the requests that wait for a place.
#[derive(Clone, Debug, Default)]
pub struct Contention(Arc<AtomicUsize>);

/// A request that waits. Dropping it ends the wait.
#[derive(Debug)]
pub struct WaitingRequest(Contention);

impl Contention {
    /// A request begins to wait.
    pub fn wait(&self) -> WaitingRequest {
        self.0.fetch_add(1, Ordering::Relaxed);
        WaitingRequest(self.clone())
    }

    /// True if a request waits.
    pub fn is_contended(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for WaitingRequest {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_until_the_last_request_has_its_place() {
        let contention = Contention::default();
        let (first, second) = (contention.wait(), contention.wait());
        drop(first);
        assert!(contention.is_contended());
        drop(second);
        assert!(!contention.is_contended());
    }
}
