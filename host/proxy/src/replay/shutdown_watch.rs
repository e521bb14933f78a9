//! Watches the shutdown of the gateway for a stream in the body of a response.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::HeaderMap;

use crate::handler::error_format::ErrorFormat;
use crate::handler::{ExchangeError, grpc_status};
use ouli_net::drain::DrainSignal;

/// Waits for the phases of a shutdown.
pub(crate) struct ShutdownWatch {
    error_format: ErrorFormat,
    phase: ShutdownPhase,
    next: Option<PhaseFuture>,
}

/// Resolves to the signal at the start of the drain, and to none at its end.
type PhaseFuture = Pin<Box<dyn Future<Output = Option<DrainSignal>> + Send>>;

/// The phase of a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShutdownPhase {
    /// The gateway runs.
    Running,
    /// The shutdown has begun: requests in progress continue.
    Draining,
    /// Long-lived streams end now.
    Closing,
}

impl ShutdownWatch {
    pub(crate) fn new(mut shutdown: DrainSignal, error_format: ErrorFormat) -> Self {
        let next = async move {
            shutdown.draining().await;
            Some(shutdown)
        };
        Self {
            error_format,
            phase: ShutdownPhase::Running,
            next: Some(Box::pin(next)),
        }
    }

    /// The current phase. Wakes the task at the next one.
    pub(crate) fn poll_phase(&mut self, cx: &mut Context<'_>) -> ShutdownPhase {
        while let Some(next) = &mut self.next {
            match next.as_mut().poll(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => {
                    self.phase = ShutdownPhase::Closing;
                    self.next = None;
                }
                Poll::Ready(Some(mut shutdown)) => {
                    self.phase = ShutdownPhase::Draining;
                    self.next = Some(Box::pin(async move {
                        shutdown.closing().await;
                        None
                    }));
                }
            }
        }
        self.phase
    }

    /// The trailers that end a call; other streams have none.
    pub(crate) fn trailers(&self) -> Option<HeaderMap> {
        match self.error_format {
            ErrorFormat::Http(_) => None,
            ErrorFormat::Grpc => Some(grpc_status::trailers(&ExchangeError::Stopping)),
        }
    }
}
