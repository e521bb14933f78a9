//! Exchanges that fail before the head of a response: recorded where that is asked for, and
//! replayed as they were.

use std::future::poll_fn;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;

use super::body_capture::Taken;
use super::pending_exchange::Draft;
use super::recorder_delivery::Delivery;
use super::relay::Recorded;
use crate::handler::context::Asked;
pub(crate) use crate::handler::error_response::ExchangeError;
use crate::session::{Kind, Outcome};
use ouli_message::Response;
use ouli_message::failure::{Failure, Fault, Phase, What};

/// A request that waits for the head of a response. Dropped, its client has left.
pub(crate) struct Waiting<'a> {
    asked: &'a Asked<'a>,
    since: Instant,
    key: Option<u128>,
    known: Option<(ouli_message::Request, Recorded)>,
}

impl<'a> Waiting<'a> {
    pub(crate) fn new(
        asked: &'a Asked<'a>,
        request: ouli_message::Request,
        sent: Recorded,
        key: Option<u128>,
    ) -> Self {
        Self {
            asked,
            since: Instant::now(),
            key,
            known: Some((request, sent)),
        }
    }

    /// The head of the response is there.
    pub(crate) fn answered(mut self) -> (ouli_message::Request, Recorded) {
        self.known.take().expect("only what consumes it takes this")
    }

    /// It failed. Where that is recorded the whole request is, so what is left of it is read.
    pub(crate) async fn failed(mut self, fault: Option<Fault>) {
        let at = self.since.elapsed();
        let rest = self.known.as_mut().and_then(|(_, sent)| sent.rest.take());
        if let Some(rest) = rest {
            let limit = self.asked.snapshot.config.limits.first_byte_timeout;
            // One that takes longer is not recorded, since it is not whole.
            let _ = tokio::time::timeout(limit, rest.read()).await;
        }
        let Some((request, sent)) = self.known.take() else {
            return;
        };
        match fault {
            Some(fault) if self.asked.endpoint.configured.record_failures => {
                if let Some(mut delivery) = self.record((fault, at), request, sent) {
                    poll_fn(|cx| delivery.poll(cx)).await;
                }
            }
            Some(_) | None => {
                let reason = "the upstream gave no response".to_owned();
                self.asked.session.tally().count(Outcome::Partial(reason));
            }
        }
    }

    fn record(
        &self,
        (fault, at): (Fault, Duration),
        request: ouli_message::Request,
        sent: Recorded,
    ) -> Option<Delivery> {
        let at = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        let nothing = Taken {
            bytes: Bytes::new(),
            trailers: HeaderMap::new(),
            hold: self.asked.gate.live.budget.hold(),
            cut: None,
            fault: None,
        };
        let none = Response::none(&fault);
        let head = (none.status, &HeaderMap::new());
        let mut draft = Draft::new(self.asked, request, head, self.key);
        if let Some(log) = sent.log {
            draft = draft.flowing(Kind::Grpc, log);
        }
        let draft = draft.failing(Failure { fault, at });
        draft.finish(sent.body.take(), Ok(nothing))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some((request, sent)) = self.known.take() else {
            return;
        };
        // A call whose client leaves is a conversation that the client ended.
        if self.asked.endpoint.configured.record_failures && sent.log.is_none() {
            let left = (Fault::new(Phase::Head, What::Left), self.since.elapsed());
            // Nobody is left to be held back for it.
            drop(self.record(left, request, sent));
        }
    }
}

/// What an exchange without an answer has instead, counted, when that is due: the gateway's own
/// answer, or silence where the client had left before it came.
pub(crate) async fn again(asked: &Asked<'_>, failure: Failure) -> ExchangeError {
    asked.session.tally().count(Outcome::Hit);
    pause(asked, failure).await;
    ExchangeError::Recorded(failure.fault)
}

/// Waits until a failure is due; where the gateway stops, it is due at once.
pub(crate) async fn pause(asked: &Asked<'_>, failure: Failure) {
    let due = due(asked, failure);
    if !due.is_zero() {
        let mut stop = asked.gate.live.drain.stop();
        tokio::select! {
            () = tokio::time::sleep(due) => {}
            () = stop.begun() => {}
        }
    }
}

fn due(asked: &Asked<'_>, Failure { fault, at }: Failure) -> Duration {
    let config = &asked.snapshot.config;
    let most = config.limits.stream_idle_timeout;
    match fault.what {
        What::Left => most,
        What::Dns
        | What::Refused
        | What::Unreachable
        | What::Untrusted
        | What::Reset
        | What::Closed
        | What::Timeout
        | What::Malformed => config.timing.due(at).min(most),
    }
}
