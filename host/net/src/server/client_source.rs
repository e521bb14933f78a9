//! One client address with its requests in progress: no client can take the permits of all.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::bounds::Bounds;

/// One client address or IPv6 network.
#[derive(Debug)]
pub(super) struct ClientSource {
    address: IpAddr,
    /// The number of its requests in progress.
    requests: AtomicUsize,
}

impl ClientSource {
    pub(super) fn new(address: IpAddr) -> Arc<Self> {
        Arc::new(Self {
            address,
            requests: AtomicUsize::new(0),
        })
    }

    pub(super) fn address(&self) -> IpAddr {
        self.address
    }
}

/// Counts one request until it is dropped.
#[derive(Debug)]
pub(super) struct SourceRequest {
    source: Arc<ClientSource>,
    /// The limit that the request exceeded when it began.
    exceeded: Option<&'static str>,
}

impl SourceRequest {
    /// Counts a request.
    pub(super) fn begin(source: &Arc<ClientSource>, bounds: &Bounds) -> Self {
        let (max, key) = match source.address.is_loopback() {
            true => (bounds.requests_per_loopback, "requests_per_loopback"),
            false => (bounds.requests_per_source, "requests_per_source"),
        };
        let before = source.requests.fetch_add(1, Ordering::Relaxed);
        Self {
            source: Arc::clone(source),
            exceeded: (before >= max).then_some(key),
        }
    }

    /// The key of the limit that the source exceeded when the request began.
    pub(super) fn exceeded_limit(&self) -> Option<&'static str> {
        self.exceeded
    }
}

impl Drop for SourceRequest {
    fn drop(&mut self) {
        self.source.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_limited_by_its_requests_in_progress() {
        let bounds = Bounds {
            requests_per_source: 2,
            requests_per_loopback: 1,
            ..Bounds::default()
        };
        for (source, max, key) in [
            ("192.0.2.1", 2, "requests_per_source"),
            ("127.0.0.1", 1, "requests_per_loopback"),
        ] {
            let source = ClientSource::new(source.parse().unwrap());
            let begin = || SourceRequest::begin(&source, &bounds);
            let mut active: Vec<_> = std::iter::repeat_with(begin).take(max).collect();
            assert!(
                active
                    .iter()
                    .all(|request| request.exceeded_limit().is_none())
            );
            assert_eq!(begin().exceeded_limit(), Some(key));
            active.pop();
            assert_eq!(begin().exceeded_limit(), None, "{key}");
        }
    }
}
