//! Reads the rest of an exchange after its client has its answer or has left, so that the exchange
//! is recorded whole.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use tokio::sync::OwnedSemaphorePermit;

use crate::handler::{RequestBody, RequestContext, SharedState};

/// Starts reads that no client waits for, within limits of number and time. The size of what is
/// read is limited as that of any recorded body.
#[derive(Clone)]
pub(crate) struct BackgroundReads {
    shared: Arc<SharedState>,
    timeout: Duration,
}

/// A background read that may start.
pub(crate) struct BackgroundRead {
    reads: BackgroundReads,
    _permit: OwnedSemaphorePermit,
}

/// Why a background read ended before what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interruption {
    TooMany,
    Timeout(Duration),
    Stopping,
}

impl BackgroundReads {
    pub(super) fn new(context: &RequestContext<'_>) -> Self {
        Self {
            shared: Arc::clone(&context.handler.shared),
            timeout: context.snapshot.config.limits.background_read_timeout,
        }
    }

    /// A permit for one read.
    pub(super) fn try_begin(&self) -> Result<BackgroundRead, Interruption> {
        let permit = Arc::clone(&self.shared.background_reads).try_acquire_owned();
        permit
            .map(|permit| BackgroundRead {
                reads: self.clone(),
                _permit: permit,
            })
            .map_err(|_| Interruption::TooMany)
    }
}

impl BackgroundRead {
    /// Runs a task that reads by means of [`Self::read`].
    pub(super) fn spawn<F: Future<Output = ()> + Send + 'static>(
        self,
        task: impl FnOnce(Self) -> F,
    ) {
        let shared = Arc::clone(&self.reads.shared);
        shared.drain.spawn(task(self));
    }

    /// Waits for the end of `read`.
    pub(super) async fn read<T>(&self, read: impl Future<Output = T>) -> Result<T, Interruption> {
        let BackgroundReads { shared, timeout } = &self.reads;
        let mut stop = shared.drain.signal();
        tokio::select! {
            biased;
            read = read => Ok(read),
            () = tokio::time::sleep(*timeout) => Err(Interruption::Timeout(*timeout)),
            () = stop.closing() => Err(Interruption::Stopping),
        }
    }
}

/// Reads the rest of a request that is answered before its end. A client that gets a reset while it
/// sends may lose the response.
pub(crate) fn discard_rest(context: &RequestContext<'_>, mut body: RequestBody) {
    if let Ok(read) = BackgroundReads::new(context).try_begin() {
        read.spawn(|read| async move {
            // A client that sends longer loses its connection.
            let rest = async { while let Some(Ok(_)) = body.frame().await {} };
            let _ = read.read(rest).await;
        });
    }
}

impl std::fmt::Display for Interruption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooMany => {
                f.write_str("too many others are read without a client (limits.background_reads)")
            }
            Self::Timeout(limit) => write!(
                f,
                "the response did not end within {limit:?} (limits.background_read_timeout)"
            ),
            Self::Stopping => f.write_str("the gateway stops"),
        }
    }
}
