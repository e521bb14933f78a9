//! Bounds the interim responses (RFC 9110, section 15.2) that an upstream sends before the head of
//! a response.
//!
//! On HTTP/1.1 they are counted. On HTTP/2 nobody tells of them, and none is kept: there the time
//! for the head alone bounds them.

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

/// There were more than so many.
pub(super) struct TooManyInterim(pub(super) usize);

impl InterimLimiter {
    /// Counts those that answer `request`.
    pub(super) fn attach<B>(request: &mut Request<B>, most: usize) -> Self {
        let count = Arc::new(Count {
            seen: AtomicUsize::new(0),
            max: most,
            exceeded: Notify::new(),
        });
        let counted = Arc::clone(&count);
        hyper::ext::on_informational(request, move |_| {
            if counted.seen.fetch_add(1, Ordering::Relaxed) >= counted.max {
                counted.exceeded.notify_one();
            }
        });
        Self(count)
    }

    /// Waits for the response; where there are too many before it, it is dropped, which ends its
    /// connection.
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
