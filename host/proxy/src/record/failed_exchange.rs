//! Exchanges that fail before the head of a response: recorded where that is asked for, and
//! replayed as they were.

use std::future::poll_fn;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;

use super::body_capture::CapturedBody;
use super::pending_exchange::PendingExchange;
use super::recorder_delivery::Delivery;
use super::relay::RequestRecording;
use crate::handler::context::RequestContext;
pub(crate) use crate::handler::error_response::ExchangeError;
use crate::session::{Outcome, StreamKind};
use ouli_message::Response;
use ouli_message::failure::{Failure, FailureCause, FailureKind, Phase};

/// A request that waits for the head of a response. Dropped, its client has left.
pub(crate) struct AwaitingResponse<'a> {
    context: &'a RequestContext<'a>,
    since: Instant,
    key: Option<u128>,
    known: Option<(ouli_message::Request, RequestRecording)>,
}

impl<'a> AwaitingResponse<'a> {
    pub(crate) fn new(
        asked: &'a RequestContext<'a>,
        request: ouli_message::Request,
        sent: RequestRecording,
        key: Option<u128>,
    ) -> Self {
        Self {
            context: asked,
            since: Instant::now(),
            key,
            known: Some((request, sent)),
        }
    }

    /// The head of the response is there.
    pub(crate) fn answered(mut self) -> (ouli_message::Request, RequestRecording) {
        self.known.take().expect("only what consumes it takes this")
    }

    /// It failed. Where that is recorded the whole request is, so what is left of it is read.
    pub(crate) async fn upstream_failed(mut self, fault: Option<FailureCause>) {
        let at = self.since.elapsed();
        let rest = self
            .known
            .as_mut()
            .and_then(|(_, sent)| sent.unsent_body.take());
        if let Some(rest) = rest {
            let limit = self.context.snapshot.config.limits.response_header_timeout;
            // One that takes longer is not recorded, since it is not whole.
            let _ = tokio::time::timeout(limit, rest.drain()).await;
        }
        let Some((request, sent)) = self.known.take() else {
            return;
        };
        match fault {
            Some(fault) if self.context.endpoint.configured.record_failures => {
                if let Some(mut delivery) = self.record_failure((fault, at), request, sent) {
                    poll_fn(|cx| delivery.poll(cx)).await;
                }
            }
            Some(_) | None => {
                let reason = "the upstream gave no response".to_owned();
                self.context
                    .session
                    .counters()
                    .count(Outcome::Partial(reason));
            }
        }
    }

    fn record_failure(
        &self,
        (fault, at): (FailureCause, Duration),
        request: ouli_message::Request,
        sent: RequestRecording,
    ) -> Option<Delivery> {
        let at = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        let nothing = CapturedBody {
            bytes: Bytes::new(),
            trailers: HeaderMap::new(),
            reservation: self.context.handler.shared.budget.recording_reservation(),
            aborted: None,
            failure_cause: None,
        };
        let none = Response::absent(&fault);
        let head = (none.status, &HeaderMap::new());
        let mut draft = PendingExchange::new(self.context, request, head, self.key);
        if let Some(log) = sent.log {
            draft = draft.with_stream(StreamKind::Grpc, log);
        }
        let draft = draft.with_failure(Failure { cause: fault, at });
        draft.finish(sent.body.take(), Ok(nothing))
    }
}

impl Drop for AwaitingResponse<'_> {
    fn drop(&mut self) {
        let Some((request, sent)) = self.known.take() else {
            return;
        };
        // A call whose client leaves is a conversation that the client ended.
        if self.context.endpoint.configured.record_failures && sent.log.is_none() {
            let left = (
                FailureCause::new(Phase::Head, FailureKind::ClientGone),
                self.since.elapsed(),
            );
            // Nobody is left to be held back for it.
            drop(self.record_failure(left, request, sent));
        }
    }
}

/// What an exchange without an answer has instead, counted, when that is due: the gateway's own
/// answer, or silence where the client had left before it came.
pub(crate) async fn replay_failure(asked: &RequestContext<'_>, failure: Failure) -> ExchangeError {
    asked.session.counters().count(Outcome::Hit);
    wait_until_due(asked, failure).await;
    ExchangeError::RecordedFailure(failure.cause)
}

/// Waits until a failure is due; where the gateway stops, it is due at once.
pub(crate) async fn wait_until_due(asked: &RequestContext<'_>, failure: Failure) {
    let due = delay_until_due(asked, failure);
    if !due.is_zero() {
        let mut stop = asked.handler.shared.drain.signal();
        tokio::select! {
            () = tokio::time::sleep(due) => {}
            () = stop.draining() => {}
        }
    }
}

fn delay_until_due(asked: &RequestContext<'_>, Failure { cause: fault, at }: Failure) -> Duration {
    let config = &asked.snapshot.config;
    let most = config.limits.stream_idle_timeout;
    match fault.kind {
        FailureKind::ClientGone => most,
        FailureKind::Dns
        | FailureKind::Refused
        | FailureKind::Unreachable
        | FailureKind::Untrusted
        | FailureKind::Reset
        | FailureKind::Closed
        | FailureKind::Timeout
        | FailureKind::Malformed => config.timing.delay(at).min(most),
    }
}
