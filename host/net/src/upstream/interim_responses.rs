//! The interim responses (RFC 9110, section 15.2) that an upstream sends before the response head:
//! they are limited and passed on.
//!
//! On HTTP/2 hyper drops them without a callback, so only `limits.response_header_timeout` limits
//! them.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderMap, Request, StatusCode};
use tokio::sync::Notify;

use super::continue_gate::ContinueGate;

/// Called with each interim response but 100: set as an extension of the request.
#[derive(Clone)]
pub struct OnInterim(Arc<Callback>);

/// Is given the status and the fields.
type Callback = dyn Fn(StatusCode, &HeaderMap) + Send + Sync;

impl OnInterim {
    /// Calls this.
    pub fn new(call: impl Fn(StatusCode, &HeaderMap) + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }
}

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
    /// Counts the interim responses to `request`. A 100 opens the gate, the others are passed on.
    pub(super) fn attach<B>(
        request: &mut Request<B>,
        max: usize,
        gate: Option<ContinueGate>,
    ) -> Self {
        let count = Arc::new(Count {
            seen: AtomicUsize::new(0),
            max,
            exceeded: Notify::new(),
        });
        let counter = Arc::clone(&count);
        let on_interim = request.extensions_mut().remove::<OnInterim>();
        hyper::ext::on_informational(request, move |response| {
            if counter.seen.fetch_add(1, Ordering::Relaxed) >= counter.max {
                counter.exceeded.notify_one();
            } else if response.status() == StatusCode::CONTINUE {
                gate.iter().for_each(ContinueGate::open);
            } else if let Some(OnInterim(call)) = &on_interim {
                call(response.status(), response.headers());
            }
        });
        Self(count)
    }

    /// The interim responses so far.
    pub(super) fn seen(&self) -> usize {
        self.0.seen.load(Ordering::Relaxed)
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
