//! How a stream in the body of a response ends where the gateway stops.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::HeaderMap;

use crate::handler::error_response;
pub(crate) use crate::handler::error_response::{ErrorFormat, ExchangeError};
use ouli_codec::grpc;
use ouli_net::drain::DrainSignal;

/// Waits for the stop, and for its close.
pub(crate) struct ShutdownWatch {
    error_format: ErrorFormat,
    phase: ShutdownPhase,
    next: Option<PhaseFuture>,
}

/// Gives back what it waits with, which waits for the close then.
type PhaseFuture = Pin<Box<dyn Future<Output = Option<DrainSignal>> + Send>>;

/// How far a stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShutdownPhase {
    /// There is none.
    Running,
    /// It has begun.
    Draining,
    /// What lasts ends now.
    Closing,
}

impl ShutdownWatch {
    pub(crate) fn new(mut stop: DrainSignal, asks: ErrorFormat) -> Self {
        let next = async move {
            stop.draining().await;
            Some(stop)
        };
        Self {
            error_format: asks,
            phase: ShutdownPhase::Running,
            next: Some(Box::pin(next)),
        }
    }

    /// How far it has come. The task is woken where it goes further.
    pub(crate) fn poll_phase(&mut self, cx: &mut Context<'_>) -> ShutdownPhase {
        while let Some(next) = &mut self.next {
            match next.as_mut().poll(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => {
                    self.phase = ShutdownPhase::Closing;
                    self.next = None;
                }
                Poll::Ready(Some(mut stop)) => {
                    self.phase = ShutdownPhase::Draining;
                    self.next = Some(Box::pin(async move {
                        stop.closing().await;
                        None
                    }));
                }
            }
        }
        self.phase
    }

    /// The trailers of a call; other streams have no word for it.
    pub(crate) fn trailers(&self) -> Option<HeaderMap> {
        match self.error_format {
            ErrorFormat::Http => None,
            ErrorFormat::Grpc => {
                let (code, message) = error_response::grpc_status(&ExchangeError::Stopping);
                Some(grpc::trailers(code, &message).to_map())
            }
        }
    }
}
