//! Replays exchanges that failed before the head of a response.

use std::time::Duration;

use crate::handler::{ExchangeError, RequestContext};
use crate::session::{Hit, Outcome};
use ouli_message::failure::{Failure, FailureKind};

/// The error that replays a recorded failure. Counts a hit, and waits until the failure is due.
pub(super) async fn replay_failure(
    context: &RequestContext<'_>,
    (failure, hit): (Failure, Hit),
) -> ExchangeError {
    context.session.counters().count(Outcome::Hit(hit));
    wait_until_due(context, failure).await;
    ExchangeError::RecordedFailure(failure.cause)
}

/// Waits until a failure is due. When the gateway stops, it is due at once.
pub(crate) async fn wait_until_due(context: &RequestContext<'_>, failure: Failure) {
    let delay = delay_until_due(context, failure);
    if !delay.is_zero() {
        let mut shutdown = context.handler.shared.drain.signal();
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = shutdown.draining() => {}
        }
    }
}

fn delay_until_due(context: &RequestContext<'_>, Failure { cause, at }: Failure) -> Duration {
    let config = &context.snapshot.config;
    let max_delay = config.limits.stream_idle_timeout;
    match cause.kind {
        // The client waited in vain, so it does again.
        FailureKind::ClientGone => max_delay,
        FailureKind::Dns
        | FailureKind::Refused
        | FailureKind::Unreachable
        | FailureKind::Untrusted
        | FailureKind::Reset
        | FailureKind::Closed
        | FailureKind::Timeout
        | FailureKind::Malformed => config.timing.delay(at).min(max_delay),
    }
}
