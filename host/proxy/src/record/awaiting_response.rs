//! A request that waits for the head of its response: records the failure if there is none and
//! `record_failures` is set.

use std::future::poll_fn;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;

use super::background_read::Interruption;
use super::body_capture::CapturedBody;
use super::pending_exchange::PendingExchange;
use super::recorder_delivery::Delivery;
use super::request_recording::{RequestCapture, RequestRecording};
use crate::handler::{ExchangeError, RequestContext};
use crate::session::{Outcome, StreamKind};
use ouli_config::Defect;
use ouli_message::Response;
use ouli_message::failure::{Failure, FailureCause, FailureKind, Phase};

/// A request that waits for the head of its response. It is dropped if that is not awaited any more
/// because the client has left.
pub(crate) struct AwaitingResponse<'a> {
    context: &'a RequestContext<'a>,
    started: Instant,
    key: Option<u128>,
    exchange: Option<(ouli_message::Request, RequestRecording)>,
    /// Why the response is not awaited any more after the client has left.
    interruption: Option<&'a OnceLock<Interruption>>,
}

impl<'a> AwaitingResponse<'a> {
    pub(crate) fn new(
        context: &'a RequestContext<'a>,
        request: ouli_message::Request,
        recording: RequestRecording,
        key: Option<u128>,
    ) -> Self {
        Self {
            context,
            started: Instant::now(),
            key,
            exchange: Some((request, recording)),
            interruption: None,
        }
    }

    /// The same, for an exchange that goes on without its client.
    pub(super) fn until(mut self, interruption: &'a OnceLock<Interruption>) -> Self {
        self.interruption = Some(interruption);
        self
    }

    /// The head of the response has arrived.
    pub(crate) fn response_received(mut self) -> (ouli_message::Request, RequestRecording) {
        let exchange = self.exchange.take();
        if let Some((_, recording)) = &exchange
            && let Some(unsent_body) = &recording.unsent_body
        {
            unsent_body.response_received();
        }
        exchange.expect("only a method that consumes self takes the exchange")
    }

    /// The upstream failed. A recorded failure has the whole request, so the rest of its body is
    /// read.
    pub(crate) async fn upstream_failed(mut self, error: &ExchangeError) {
        let cause = error.failure_cause();
        let elapsed = self.started.elapsed();
        if let Some((_, recording)) = &mut self.exchange
            && self.context.endpoint.configured.record_failures
            && let RequestCapture::Streaming(capture) = &recording.body
            && let Some(unsent_body) = recording.unsent_body.take()
        {
            let limit = self.context.snapshot.config.limits.response_header_timeout;
            // After a timeout the body is incomplete and the failure is not recorded.
            let _ = tokio::time::timeout(limit, unsent_body.drain(capture)).await;
        }
        let Some((request, recording)) = self.exchange.take() else {
            return;
        };
        match cause {
            Some(cause) if self.context.endpoint.configured.record_failures => {
                if let Some(mut delivery) =
                    self.record_failure((cause, elapsed), request, recording)
                {
                    poll_fn(|cx| delivery.poll(cx)).await;
                }
            }
            // The client did not send its request to the end, which is counted.
            Some(_)
                if self
                    .context
                    .guard
                    .as_ref()
                    .is_some_and(|it| it.rejection().is_some()) => {}
            Some(_) if recording.body.was_aborted() => {
                let reason = "the client left before it had sent the whole request".to_owned();
                self.count(Defect::Partial, reason);
            }
            Some(_) => self.count(Defect::UpstreamError, error.to_string()),
            // The request was not sent, and the error is counted.
            None => {}
        }
    }

    fn count(&self, defect: Defect, reason: String) {
        let outcome = Outcome::Failed(defect, reason);
        self.context.session.counters().count(outcome);
    }

    fn record_failure(
        &self,
        (cause, elapsed): (FailureCause, Duration),
        request: ouli_message::Request,
        recording: RequestRecording,
    ) -> Option<Delivery> {
        let at = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let empty_body = CapturedBody {
            bytes: Bytes::new(),
            trailers: HeaderMap::new(),
            reservation: self.context.handler.shared.budget.recording_reservation(),
            aborted: None,
            failure_cause: None,
        };
        let absent_response = Response::absent(&cause);
        let head = (absent_response.status, &HeaderMap::new());
        let mut exchange = PendingExchange::new(self.context, request, head, self.key);
        if let Some(log) = recording.log {
            exchange = exchange.with_stream(StreamKind::Grpc, log);
        }
        let exchange = exchange.with_failure(Failure { cause, at });
        exchange.finish(recording.body.take(), Ok(empty_body))
    }
}

impl Drop for AwaitingResponse<'_> {
    fn drop(&mut self) {
        let Some((request, recording)) = self.exchange.take() else {
            return;
        };
        // `AbandonedCall` records a call whose client leaves.
        if recording.log.is_some() {
            return;
        }
        if !self.context.endpoint.configured.record_failures {
            let shared = &self.context.handler.shared;
            let mut reason = shared.reason_for_ending("the response began");
            if let Some(interruption) = self.interruption.and_then(OnceLock::get) {
                reason = format!("{reason}, and {interruption}");
            }
            self.count(Defect::Partial, reason);
        } else {
            let client_gone = (
                FailureCause::new(Phase::Head, FailureKind::ClientGone),
                self.started.elapsed(),
            );
            // There is no client to slow down, so the delivery continues detached.
            drop(self.record_failure(client_gone, request, recording));
        }
    }
}
