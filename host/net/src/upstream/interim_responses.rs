//! Limits the interim responses (RFC 9110, section 15.2) that an upstream sends before the response
//! head.
//!
//! On HTTP/1.1 they are counter. On HTTP/2 hyper drops them without a callback, so only
//! `limits.response_header_timeout` limits them.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use tokio::sync::Notify;

/// Counts the interim responses to one request.
pub(super) struct InterimLimiter(Arc<Count>);

struct Count {
    seen: AtomicUsize,
    max: usize,
    exceeded: Notify,
}

/// There were more interim responses than this.
pub(super) struct TooManyInterim(pub(super) usize);

impl InterimLimiter {
    /// Counts the interim responses to `request`.
    pub(super) fn attach<B>(request: &mut Request<B>, max: usize) -> Self {
        let count = Arc::new(Count {
            seen: AtomicUsize::new(0),
            max,
            exceeded: Notify::new(),
        });
        let counter = Arc::clone(&count);
        hyper::ext::on_informational(request, move |_| {
            if counter.seen.fetch_add(1, Ordering::Relaxed) >= counter.max {
                counter.exceeded.notify_one();
            }
        });
        Self(count)
    }

    /// Waits for the response. If there are too many interim responses, drops the response future,
    /// which closes the connection.
    pub(super) async fn enforce<T>(
        &self,
        response: impl Future<Output = T>,
    ) -> Result<T, TooManyInterim> {
        tokio::select! {
            biased;
            () = self.0.exceeded.notified() => Err(TooManyInterim(self.0.max)),
            response = response => Ok(response),
        }
    }
}
